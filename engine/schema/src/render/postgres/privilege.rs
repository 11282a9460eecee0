//! GRANT, REVOKE and owners.

use tollgate_sql::ObjectName;

use crate::model::{Privilege, Relation};
use crate::render::write::{identifier, privileges, role};

use super::{DIALECT, alter};

/// GRANT on an object that the words before its name describe.
pub(super) fn grant(on: &str, privilege: &Privilege) -> String {
    let option = if privilege.grantable { " WITH GRANT OPTION" } else { "" };
    format!(
        "GRANT {} ON {on} TO {}{option}",
        privileges(&privilege.privileges),
        role(&privilege.role)
    )
}

/// REVOKE of the same.
pub(super) fn revoke(on: &str, privilege: &Privilege) -> String {
    format!(
        "REVOKE {} ON {on} FROM {}",
        privileges(&privilege.privileges),
        role(&privilege.role)
    )
}

/// A relation as GRANT names it.
pub(super) fn table(relation: &Relation) -> String {
    format!("TABLE {}", relation.name.sql(DIALECT))
}

/// GRANT of privileges on one column.
pub(super) fn grant_column(relation: &Relation, column: &str, privilege: &Privilege) -> String {
    let option = if privilege.grantable { " WITH GRANT OPTION" } else { "" };
    let what = column_privileges(column, privilege);
    format!(
        "GRANT {what} ON {} TO {}{option}",
        table(relation),
        role(&privilege.role)
    )
}

/// REVOKE of the same.
pub(super) fn revoke_column(relation: &Relation, column: &str, privilege: &Privilege) -> String {
    let what = column_privileges(column, privilege);
    format!("REVOKE {what} ON {} FROM {}", table(relation), role(&privilege.role))
}

fn column_privileges(column: &str, privilege: &Privilege) -> String {
    let column = identifier(DIALECT, column);
    match privilege.privileges.as_slice() {
        [] => format!("ALL ({column})"),
        named => named
            .iter()
            .map(|name| format!("{} ({column})", name.to_uppercase()))
            .collect::<Vec<_>>()
            .join(", "),
    }
}

/// OWNER TO of a relation.
pub(super) fn owner(relation: &Relation) -> Option<String> {
    relation
        .owner
        .as_ref()
        .map(|owner| format!("{} OWNER TO {}", alter(relation), role(owner)))
}

/// OWNER TO of any other object.
pub(super) fn owner_of(word: &str, name: &ObjectName, owner: Option<&String>) -> Option<String> {
    owner.map(|owner| format!("ALTER {word} {} OWNER TO {}", name.sql(DIALECT), role(owner)))
}
