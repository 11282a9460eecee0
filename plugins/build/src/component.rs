//! From a core module to a component that says who it is.

use tollgate_host::{Host, HostOptions};
use wasm_encoder::{ComponentSection as _, CustomSection};
use wit_component::ComponentEncoder;

use crate::error::BuildError;
use crate::guests::Guest;

/// Where the engine looks for the answer of `describe`, so that listing plugins runs nothing.
const DESCRIBE_SECTION: &str = "tollgate:describe";

/// Makes a component of a module, checks it, and adds what it answers to `describe`.
pub fn from_module(guest: &Guest, module: &[u8]) -> Result<Vec<u8>, BuildError> {
    let failed = |message: String| BuildError::Component {
        name: guest.name.clone(),
        message,
    };
    let mut component = ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(|mut encoder| encoder.encode())
        .map_err(|error| failed(format!("{error:#}")))?;
    if guest.origin.described {
        let description = describe(&component).map_err(failed)?;
        CustomSection {
            name: DESCRIBE_SECTION.into(),
            data: description.as_bytes().into(),
        }
        .append_to_component(&mut component);
    }
    wasmparser::Validator::new_with_features(wasmparser::WasmFeatures::all())
        .validate_all(&component)
        .map_err(|error| failed(error.to_string()))?;
    Ok(component)
}

/// The answer of `describe` as JSON, asked for in the engine's own sandbox.
fn describe(component: &[u8]) -> Result<String, String> {
    let host = Host::new(HostOptions::default()).map_err(|error| error.to_string())?;
    let (_, description) = host.describe(component).map_err(|error| error.to_string())?;
    serde_json::to_string(&description).map_err(|error| error.to_string())
}
