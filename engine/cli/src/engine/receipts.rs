//! What has to be deployed elsewhere first, and the receipts that show it.

use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;
use tollgate_engine::{DeployReport, Proof, Receipt, ReceiptError, ReceiptKey, Requirement, RequirementReport};

use super::project::parse_target;
use crate::config::Config;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Ui;
use crate::output::path::shown;
use crate::output::report::Report;

/// What a deploy says of the environment that has to come first.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RequirementDocument {
    /// The environment.
    environment: String,
    /// What was looked at: its database without credentials, or a receipt. None: there was nothing to look at.
    proof: Option<String>,
    /// Everything that is about to be applied was applied there.
    met: bool,
    /// What was not.
    unproven: Vec<UnprovenDocument>,
}

/// A migration that has to be applied elsewhere first.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct UnprovenDocument {
    /// Its name.
    migration: String,
    /// It is applied there, but with another text.
    other_text: bool,
}

impl From<&RequirementReport> for RequirementDocument {
    fn from(report: &RequirementReport) -> Self {
        let unproven = report.unproven.iter().map(|one| UnprovenDocument {
            migration: one.migration.clone(),
            other_text: one.other_text,
        });
        Self {
            environment: report.environment.clone(),
            proof: report.proof.clone(),
            met: !report.blocks(),
            unproven: unproven.collect(),
        }
    }
}

/// What the chosen environment requires, and what shows whether it is so: a receipt where one is given, else the other
/// environment's database.
pub fn requirement(config: &Config, ui: &Ui, receipt: Option<&Path>) -> Result<Option<Requirement>, Failure> {
    let Some(environment) = config.requires()? else {
        if let Some(path) = receipt {
            ui.warn(format!("nothing is required here, so {} is not looked at", shown(path)));
        }
        return Ok(None);
    };
    let proof = match receipt {
        Some(path) => Proof::Receipt(Box::new(read(config, path, environment)?)),
        None => match config.database_of(environment) {
            Ok(url) => Proof::Ledger(Box::new(other_target(config, ui, environment, &url)?)),
            Err(why) => Proof::Nothing(why),
        },
    };
    Ok(Some(Requirement {
        environment: environment.to_owned(),
        proof,
    }))
}

fn other_target(
    config: &Config,
    ui: &Ui,
    environment: &str,
    url: &crate::config::DatabaseUrl,
) -> Result<tollgate_engine::Target, Failure> {
    ui.hide(url.url.expose());
    let key = format!("environments.{environment}.database.url");
    parse_target(config, ui, &key, None, url)
}

fn read(config: &Config, path: &Path, environment: &str) -> Result<Receipt, Failure> {
    let key = key(config)?;
    let text = std::fs::read_to_string(path).map_err(|error| Failure::file("receipt::file", "read", path, &error))?;
    Receipt::verify(&text, &key, environment).map_err(|error| {
        let message = format!("the receipt {} proves nothing: {error}", shown(path));
        let help = match error {
            ReceiptError::Forged => {
                "take the file as the other deploy has written it; both need the same TOLLGATE_RECEIPT_KEY".to_owned()
            }
            _ => format!("a receipt is written by a deploy to {environment} with --receipt FILE"),
        };
        let report = Report::error("receipt", message)
            .help(help)
            .database("nothing was changed");
        Failure::new(Exit::Blocked, report)
    })
}

/// What signs receipts.
pub fn key(config: &Config) -> Result<ReceiptKey, Failure> {
    config.receipt_key()?.ok_or_else(|| {
        let report = Report::error("receipt::key", "there is no key that signs receipts").help(
            "set TOLLGATE_RECEIPT_KEY for both deploys to what `openssl rand -hex 32` prints, or name another variable: \
             `key = \"env:NAME\"` under [receipt] in tollgate.toml",
        );
        Failure::new(Exit::Usage, report)
    })
}

/// The environment that a receipt would be of.
pub fn environment(config: &Config) -> Result<&str, Failure> {
    let refused = |message: &str, help: &str| {
        Failure::new(Exit::Usage, Report::error("receipt::environment", message).help(help))
    };
    if config.url_overruled {
        let message = "DATABASE_URL leads elsewhere than the environment that the receipt would be of";
        let help = "take DATABASE_URL away, or name another variable in the environment: env:NAME";
        return Err(refused(message, help));
    }
    let none = || {
        refused(
            "a receipt says which environment was deployed to",
            "choose one with --env",
        )
    };
    config.environment.as_deref().ok_or_else(none)
}

/// Writes what is applied now.
pub fn write(
    path: &Path,
    environment: &str,
    target: String,
    report: &DeployReport,
    key: &ReceiptKey,
) -> Result<(), Failure> {
    let receipt = Receipt {
        environment: environment.to_owned(),
        target,
        run: report.run.clone(),
        finished_at: format!("{:.0}", Timestamp::now()),
        migrations: report.deployed.clone(),
    };
    let failed = |reason: String| {
        let message = format!("the receipt {} cannot be written: {reason}", shown(path));
        let report = Report::error("receipt::file", message)
            .help("run the deploy again: with nothing left to apply it writes the receipt all the same")
            .database("everything was applied and recorded");
        Failure::new(Exit::Failed, report)
    };
    let text = receipt.sign(key).map_err(|error| failed(error.to_string()))?;
    std::fs::write(path, text).map_err(|error| failed(error.to_string()))
}

/// Says which migrations have to be deployed elsewhere first.
pub fn show(ui: &Ui, requirement: Option<&RequirementReport>) {
    let Some(requirement) = requirement.filter(|requirement| requirement.blocks() && !ui.json()) else {
        return;
    };
    let RequirementReport {
        environment,
        proof,
        why,
        unproven,
    } = requirement;
    let names = |other_text: bool| {
        let names = unproven.iter().filter(|one| one.other_text == other_text);
        names.map(|one| one.migration.as_str()).collect::<Vec<_>>().join(", ")
    };
    let (missing, other) = (names(false), names(true));
    let mut lines = Vec::new();
    if let Some(why) = why {
        lines.push(format!("nothing shows what is deployed there: {why}"));
    } else {
        if !missing.is_empty() {
            lines.push(format!("not applied there: {missing}"));
        }
        if !other.is_empty() {
            lines.push(format!("applied there with another text: {other}"));
        }
    }
    lines.extend(proof.iter().map(|proof| format!("looked at {proof}")));
    lines.push(match proof {
        Some(_) => format!("deploy the same files to {environment} first"),
        None => format!(
            "set the URL, or pass with --receipt-from what a deploy to {environment} has written with --receipt"
        ),
    });
    let message = format!("{environment} has to come first");
    ui.report(&Report::error("requirement", message).help(lines.join("\n")));
}
