//! Plugins that are not there or are none.

use insta::assert_snapshot;

use crate::session::{blog, session, sqlite};

#[test]
fn a_file_that_is_missing() {
    let project = sqlite();
    blog(&project);
    project.file("tollgate.toml", "[plugins.team]\nsource = \"plugins/team.wasm\"\n");
    assert_snapshot!(session(&project, &["check", "deploy"]), @"
    $ tollgate check
    status: 2
    -- stderr
    plugin::unreadable

      × cannot read the plugin team from plugins/team.wasm: No such file or directory (os error 2)
      help: `source` is relative to the file that names it; build the component first, or mend the
            path


    $ tollgate deploy
    status: 2
    -- stderr
    plugin::unreadable

      × cannot read the plugin team from plugins/team.wasm: No such file or directory (os error 2)
      help: `source` is relative to the file that names it; build the component first, or mend the
            path
    ");
    assert!(!project.path().join("app.db").exists());
}

#[test]
fn a_file_that_is_no_component() {
    let project = sqlite();
    blog(&project);
    project.file("tollgate.toml", "[plugins.team]\nsource = \"plugins/team.wasm\"\n");
    project.file("plugins/team.wasm", "(module)");
    assert_snapshot!(session(&project, &["check", "deploy"]), @"
    $ tollgate check
    status: 2
    -- stderr
    plugin::incompatible

      × plugin `team` failed (incompatible): is not a WebAssembly component
      help: A plugin is a WebAssembly component; `wasm-tools component new` makes one from a core
            module.


    $ tollgate deploy
    status: 2
    -- stderr
    plugin::incompatible

      × plugin `team` failed (incompatible): is not a WebAssembly component
      help: A plugin is a WebAssembly component; `wasm-tools component new` makes one from a core
            module.
    ");
    std::fs::write(project.path().join("plugins/team.wasm"), b"\0asm\x01\0\0\0").unwrap();
    assert_snapshot!(session(&project, &["deploy"]), @"
    $ tollgate deploy
    status: 2
    -- stderr
    plugin::incompatible

      × plugin `team` failed (incompatible): is a core WebAssembly module, not a component
      help: A plugin is a WebAssembly component; `wasm-tools component new` makes one from a core
            module.
    ");
    assert!(!project.path().join("app.db").exists());
}

#[test]
fn settings_that_a_plugin_refuses() {
    let project = sqlite();
    blog(&project);
    project.file(
        "tollgate.toml",
        "[plugins.webhook.settings]\nevents = [\"finished\", \"finnished\"]\n\n\
         [plugins.webhook]\nrequired = true\n\n[plugins.webhook.endpoints.webhook]\nurl = \"https://example.com\"\n",
    );
    assert_snapshot!(session(&project, &["deploy"]), @r#"
    $ tollgate deploy
    status: 2
    -- stderr
    plugin::bad-settings

      × plugin `webhook` failed (bad-settings): /events/1: there is no event "finnished"; the events
      │ are waiting-for-lock, planned, checked, awaiting-approval, applied, failed, rolled-back,
      │ finished
       ╭─[tollgate.toml:2:10]
     1 │ [plugins.webhook.settings]
     2 │ events = ["finished", "finnished"]
       ·          ────────────┬────────────
       ·                      ╰── here
     3 │ 
       ╰────
      help: its settings are in [plugins.webhook.settings]
    "#);
}

#[test]
fn a_plugin_that_does_not_come_with_tollgate() {
    let project = sqlite();
    blog(&project);
    project.file("tollgate.toml", "[plugins.mine]\nsource = \"builtin:destructiv\"\n");
    assert_snapshot!(session(&project, &["check"]), @r#"
    $ tollgate check
    status: 2
    -- stderr
    config::plugin

      × the plugin mine is not one of those that come with Tollgate; did you mean destructive?
       ╭─[tollgate.toml:2:10]
     1 │ [plugins.mine]
     2 │ source = "builtin:destructiv"
       ·          ──────────┬─────────
       ·                    ╰── here
       ╰────
      help: `source` is builtin:NAME or the path of a component
    "#);
}
