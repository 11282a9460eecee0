//! The plugins that come with Tollgate, so that it needs no download and no WASM toolchain.

/// Name and component of every bundled plugin.
pub const BUNDLED: &[(&str, &[u8])] = &[
    (
        "conventions",
        include_bytes!("../../../plugins/bundle/conventions.wasm"),
    ),
    (
        "destructive",
        include_bytes!("../../../plugins/bundle/destructive.wasm"),
    ),
    ("github", include_bytes!("../../../plugins/bundle/github.wasm")),
    ("rollback", include_bytes!("../../../plugins/bundle/rollback.wasm")),
    ("safety", include_bytes!("../../../plugins/bundle/safety.wasm")),
    ("slack", include_bytes!("../../../plugins/bundle/slack.wasm")),
    ("webhook", include_bytes!("../../../plugins/bundle/webhook.wasm")),
];

/// A bundled component by its name.
pub fn component(name: &str) -> Option<&'static [u8]> {
    BUNDLED
        .iter()
        .find(|(bundled, _)| *bundled == name)
        .map(|(_, bytes)| *bytes)
}
