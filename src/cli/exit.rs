//! Exit codes, part of the outside contract.

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// 0: analysed, and nothing that `--fail-on` names was found.
    Analysed,
    /// 1: `--fail-on` matched.
    Found,
    /// 2: the command line was wrong, or an input could not be read at all.
    Unusable,
    /// 3: results were printed, but the input was damaged or incomplete.
    Incomplete,
}

impl From<ExitStatus> for std::process::ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(match status {
            ExitStatus::Analysed => 0,
            ExitStatus::Found => 1,
            ExitStatus::Unusable => 2,
            ExitStatus::Incomplete => 3,
        })
    }
}
