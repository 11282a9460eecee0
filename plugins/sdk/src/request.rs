//! What the engine asks of a policy.

use std::fmt;
use std::rc::Rc;

use crate::contract::Server;

/// The question to a policy, beside the migration and the schemas around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyRequest {
    /// Server that the migration is for.
    pub server: Server,
    /// Rules that are switched on and may find something; findings for others are dropped.
    pub rules: WantedRules,
    /// Deployment name from the configuration, for example `production`.
    pub environment: Option<String>,
    /// How long a statement of a deploy may wait for a lock, in milliseconds, as the configuration or the file says;
    /// `None` and 0: as long as it takes.
    pub lock_timeout_ms: Option<u64>,
    /// How long a statement of a deploy may take, in milliseconds; `None` and 0: as long as it takes.
    pub statement_timeout_ms: Option<u64>,
}

/// Some of a policy's rules, in the order in which it describes them.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct WantedRules {
    described: Rc<[String]>,
    wanted: Vec<u32>,
}

impl WantedRules {
    /// Those at these positions of the list that the plugin describes.
    pub(crate) fn new(described: Rc<[String]>, wanted: Vec<u32>) -> Self {
        Self { described, wanted }
    }

    /// The engine asks for this rule.
    pub fn contains(&self, rule: &str) -> bool {
        self.iter().any(|wanted| wanted == rule)
    }

    /// Every rule that the engine asks for.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let described = |at: &u32| self.described.get(*at as usize).map(String::as_str);
        self.wanted.iter().filter_map(described)
    }
}

/// All of these.
impl FromIterator<String> for WantedRules {
    fn from_iter<I: IntoIterator<Item = String>>(rules: I) -> Self {
        let described: Rc<[String]> = rules.into_iter().collect();
        let wanted = (0..).take(described.len()).collect();
        Self { described, wanted }
    }
}

impl fmt::Debug for WantedRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
