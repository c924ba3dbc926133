//! All knowledge that an analysis rests on, in one place.

use super::rules::RuleSet;
use super::{applications, middleboxes};
use crate::application::Applications;
use crate::middlebox::Middleboxes;
use crate::software::Stacks;
use std::sync::{Arc, OnceLock};

/// The rules and tables that an analysis goes by.
#[derive(Debug, Clone)]
pub struct Knowledge {
    /// The rules to diagnose by.
    pub rules: Arc<RuleSet>,
    /// The application protocols to recognise.
    pub applications: Arc<Applications>,
    /// The WebSocket libraries to recognise.
    pub stacks: Arc<Stacks>,
    /// The devices on the path whose limits are known.
    pub middleboxes: Arc<Middleboxes>,
}

impl Knowledge {
    /// What comes with the program.
    #[must_use]
    pub fn builtin() -> &'static Arc<Self> {
        static BUILTIN: OnceLock<Arc<Knowledge>> = OnceLock::new();
        BUILTIN.get_or_init(|| {
            Arc::new(Self {
                rules: Arc::clone(RuleSet::shared()),
                applications: Arc::clone(applications::builtin()),
                stacks: Arc::new(Stacks::default()),
                middleboxes: Arc::clone(middleboxes::builtin()),
            })
        })
    }
}
