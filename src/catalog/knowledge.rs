//! All knowledge that an analysis rests on, in one place.

use super::applications::{self, Author};
use super::rules::{LoadError, RuleSet};
use super::user::UserCatalog;
use super::{middleboxes, stacks};
use crate::application::Applications;
use crate::evidence::Tables;
use std::sync::{Arc, OnceLock};

/// The rules and tables that an analysis goes by.
#[derive(Debug, Clone)]
pub struct Knowledge {
    /// The rules to diagnose by.
    pub rules: Arc<RuleSet>,
    /// Who is known: application protocols, WebSocket libraries, devices.
    pub tables: Arc<Tables>,
}

impl Knowledge {
    /// What comes with the program.
    #[must_use]
    pub fn builtin() -> &'static Arc<Self> {
        static BUILTIN: OnceLock<Arc<Knowledge>> = OnceLock::new();
        BUILTIN.get_or_init(|| {
            Arc::new(Self {
                rules: Arc::clone(RuleSet::shared()),
                tables: Arc::new(Tables {
                    applications: Arc::clone(applications::builtin()),
                    stacks: Arc::clone(stacks::builtin()),
                    middleboxes: Arc::clone(middleboxes::builtin()),
                }),
            })
        })
    }

    /// What comes with the program, and what users' catalogs add to it. Theirs goes before: their applications are recognised
    /// first, their codes and reasons mean what they say, their devices replace those of the same name, and their rules win over all others.
    ///
    /// # Errors
    /// The first mistake, with file, line and column.
    pub fn with(catalogs: &[UserCatalog]) -> Result<Self, LoadError> {
        let Tables { stacks, middleboxes, .. } = &*Self::builtin().tables;
        let (mut protocols, mut own, mut rules) = (applications::builtin_protocols(), Vec::new(), Vec::new());
        let mut devices = Vec::new();
        let mut of_users = Vec::new();
        for catalog in catalogs {
            let known: Vec<_> = protocols.iter().chain(&of_users).cloned().collect();
            of_users.extend(applications::parse(catalog.file(), &catalog.tables("application"), Author::User, &known)?);
            own.extend(applications::parse_own(catalog.file(), &catalog.tables_of(&["code", "reason"]))?);
            devices.extend(middleboxes::parse(catalog.file(), &catalog.tables("device"))?);
            rules.push((catalog.file(), catalog.tables("rule")));
        }
        of_users.append(&mut protocols);
        let rules: Vec<(&str, &str)> = rules.iter().map(|(file, text)| (*file, text.as_str())).collect();
        Ok(Self {
            rules: Arc::new(RuleSet::with_own(&rules)?),
            tables: Arc::new(Tables {
                applications: Arc::new(Applications::new(of_users).with_own(own)),
                middleboxes: Arc::new(middleboxes.with(devices)),
                stacks: Arc::clone(stacks),
            }),
        })
    }
}
