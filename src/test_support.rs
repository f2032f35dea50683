//! Shared by unit tests.

/// Checks a decision table against its reviewed snapshot `snapshots/table__<name>.snap`.
pub(crate) fn check_table(name: &str, table: &str) {
    insta::with_settings!({
        snapshot_path => concat!(env!("CARGO_MANIFEST_DIR"), "/snapshots"),
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        insta::assert_snapshot!(format!("table__{name}"), table);
    });
}
