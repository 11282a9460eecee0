//! Statements without an operation of their own: a tag, the objects named, and the details that rules ask about.

use pg_query::NodeEnum;
use pg_query::protobuf::{LockStmt, Node, RangeVar, ReindexObjectType, ReindexStmt, VacuumStmt};

use super::names::{self, boxed, inner, strings};
use super::reader::Reader;
use crate::name::ObjectName;
use crate::operation::{Operation, OtherOperation};

type Details = Vec<(String, String)>;

const LOCK_MODES: [&str; 9] = [
    "NONE",
    "ACCESS SHARE",
    "ROW SHARE",
    "ROW EXCLUSIVE",
    "SHARE UPDATE EXCLUSIVE",
    "SHARE",
    "SHARE ROW EXCLUSIVE",
    "EXCLUSIVE",
    "ACCESS EXCLUSIVE",
];

fn relation(range: Option<&RangeVar>) -> Vec<ObjectName> {
    range.map(names::relation).into_iter().collect()
}

fn named(name: &str) -> Vec<ObjectName> {
    names::non_empty(name).map(ObjectName::bare).into_iter().collect()
}

fn detail(name: &str, value: impl Into<String>) -> Details {
    vec![(name.to_owned(), value.into())]
}

impl Reader<'_> {
    pub(super) fn other(&mut self, node: &NodeEnum) {
        let (tag, objects, details) = describe(node)
            .or_else(|| maintenance(node))
            .or_else(|| access(node))
            .or_else(|| replication(node))
            .or_else(|| foreign(node))
            .or_else(|| definitions(node))
            .unwrap_or_else(|| (self.first_words(), Vec::new(), detail("text", self.text())));
        self.push(Operation::Other(OtherOperation { tag, objects, details }));
    }

    /// `create-operator` and the like for what nothing else names.
    fn first_words(&self) -> String {
        let words = (self.range.0..self.range.1.min(self.range.0 + 2))
            .map(|index| self.source.slice((index, index + 1)).to_ascii_lowercase());
        words.collect::<Vec<_>>().join("-")
    }
}

type Described = Option<(String, Vec<ObjectName>, Details)>;

#[expect(clippy::unnecessary_wraps, reason = "the functions below end in it")]
fn described(tag: &str, objects: Vec<ObjectName>, details: Details) -> Described {
    Some((tag.to_owned(), objects, details))
}

/// The session.
fn describe(node: &NodeEnum) -> Described {
    match node {
        NodeEnum::VariableShowStmt(it) => described("show", Vec::new(), detail("name", &it.name)),
        NodeEnum::DiscardStmt(it) => {
            let target = ["", "all", "plans", "sequences", "temp"].get(usize::try_from(it.target).unwrap_or(0));
            described("discard", Vec::new(), detail("target", *target.unwrap_or(&"")))
        }
        NodeEnum::PrepareStmt(it) => described("prepare", Vec::new(), detail("name", &it.name)),
        NodeEnum::DeallocateStmt(it) => described("deallocate", Vec::new(), detail("name", &it.name)),
        NodeEnum::DeclareCursorStmt(it) => described("declare-cursor", Vec::new(), detail("name", &it.portalname)),
        NodeEnum::FetchStmt(it) => described("fetch", Vec::new(), detail("name", &it.portalname)),
        NodeEnum::ClosePortalStmt(it) => described("close-cursor", Vec::new(), detail("name", &it.portalname)),
        NodeEnum::ListenStmt(it) => described("listen", Vec::new(), detail("channel", &it.conditionname)),
        NodeEnum::UnlistenStmt(it) => described("unlisten", Vec::new(), detail("channel", &it.conditionname)),
        NodeEnum::NotifyStmt(it) => described("notify", Vec::new(), detail("channel", &it.conditionname)),
        NodeEnum::LoadStmt(it) => described("load", Vec::new(), detail("file", &it.filename)),
        NodeEnum::ConstraintsSetStmt(it) => {
            let objects = it
                .constraints
                .iter()
                .filter_map(inner)
                .map(|node| names::object(Some(node)))
                .collect();
            described("set-constraints", objects, detail("deferred", it.deferred.to_string()))
        }
        _ => None,
    }
}

fn maintenance(node: &NodeEnum) -> Described {
    match node {
        NodeEnum::VacuumStmt(it) => vacuum(it),
        NodeEnum::ClusterStmt(it) => {
            let details = names::non_empty(&it.indexname).map(|index| ("index".to_owned(), index));
            described("cluster", relation(it.relation.as_ref()), details.into_iter().collect())
        }
        NodeEnum::ReindexStmt(it) => reindex(it),
        NodeEnum::LockStmt(it) => lock(it),
        NodeEnum::CheckPointStmt(_) => described("checkpoint", Vec::new(), Vec::new()),
        NodeEnum::AlterSystemStmt(it) => {
            let name = it.setstmt.as_ref().map_or("", |set| set.name.as_str());
            described("alter-system", Vec::new(), detail("parameter", name))
        }
        NodeEnum::CreatedbStmt(it) => described("create-database", named(&it.dbname), names::options(&it.options)),
        NodeEnum::AlterDatabaseStmt(it) => described("alter-database", named(&it.dbname), names::options(&it.options)),
        NodeEnum::AlterDatabaseSetStmt(it) => {
            let name = it.setstmt.as_ref().map_or("", |set| set.name.as_str());
            described("alter-database", named(&it.dbname), detail("parameter", name))
        }
        NodeEnum::AlterDatabaseRefreshCollStmt(it) => described("alter-database", named(&it.dbname), Vec::new()),
        NodeEnum::CreateTableSpaceStmt(it) => described("create-tablespace", named(&it.tablespacename), Vec::new()),
        NodeEnum::AlterTableSpaceOptionsStmt(it) => described(
            "alter-tablespace",
            named(&it.tablespacename),
            names::options(&it.options),
        ),
        NodeEnum::AlterTableMoveAllStmt(it) => described(
            "move-all-to-tablespace",
            Vec::new(),
            detail("tablespace", &it.new_tablespacename),
        ),
        _ => None,
    }
}

fn vacuum(it: &VacuumStmt) -> Described {
    let tables = it.rels.iter().filter_map(|node| match inner(node) {
        Some(NodeEnum::VacuumRelation(table)) => table.relation.as_ref().map(names::relation),
        _ => None,
    });
    let tag = if it.is_vacuumcmd { "vacuum" } else { "analyze" };
    described(tag, tables.collect(), names::options(&it.options))
}

fn reindex(it: &ReindexStmt) -> Described {
    use ReindexObjectType as R;
    let target = match ReindexObjectType::try_from(it.kind) {
        Ok(R::ReindexObjectIndex) => "index",
        Ok(R::ReindexObjectTable) => "table",
        Ok(R::ReindexObjectSchema) => "schema",
        Ok(R::ReindexObjectSystem) => "system",
        _ => "database",
    };
    let mut objects = relation(it.relation.as_ref());
    objects.extend(named(&it.name));
    let mut details = detail("target", target);
    details.extend(names::options(&it.params));
    described("reindex", objects, details)
}

fn lock(it: &LockStmt) -> Described {
    let mode = usize::try_from(it.mode)
        .ok()
        .and_then(|mode| LOCK_MODES.get(mode))
        .unwrap_or(&"ACCESS EXCLUSIVE");
    let objects = it
        .relations
        .iter()
        .filter_map(inner)
        .map(|node| names::object(Some(node)))
        .collect();
    let mut details = detail("mode", *mode);
    details.push(("nowait".to_owned(), it.nowait.to_string()));
    described("lock-table", objects, details)
}

/// Roles and privileges.
fn access(node: &NodeEnum) -> Described {
    let roles = |nodes: &[Node]| {
        names::roles(nodes)
            .into_iter()
            .map(ObjectName::bare)
            .collect::<Vec<_>>()
    };
    match node {
        // Options may hold a password: only their names are kept.
        NodeEnum::CreateRoleStmt(it) => described("create-role", named(&it.role), option_names(&it.options)),
        NodeEnum::AlterRoleStmt(it) => described(
            "alter-role",
            named(&names::role(it.role.as_ref())),
            option_names(&it.options),
        ),
        NodeEnum::AlterRoleSetStmt(it) => {
            let name = it.setstmt.as_ref().map_or("", |set| set.name.as_str());
            described(
                "alter-role",
                named(&names::role(it.role.as_ref())),
                detail("parameter", name),
            )
        }
        NodeEnum::GrantRoleStmt(it) => {
            let tag = if it.is_grant { "grant-role" } else { "revoke-role" };
            let mut objects = roles(&it.granted_roles);
            objects.extend(roles(&it.grantee_roles));
            described(tag, objects, Vec::new())
        }
        NodeEnum::AlterDefaultPrivilegesStmt(_) => described("alter-default-privileges", Vec::new(), Vec::new()),
        NodeEnum::DropOwnedStmt(it) => {
            let cascade = super::alter::cascades(it.behavior).to_string();
            described("drop-owned", roles(&it.roles), detail("cascade", cascade))
        }
        NodeEnum::ReassignOwnedStmt(it) => described(
            "reassign-owned",
            roles(&it.roles),
            detail("to", names::role(it.newrole.as_ref())),
        ),
        NodeEnum::SecLabelStmt(it) => {
            let object = names::object(boxed(it.object.as_deref()));
            described("security-label", vec![object], detail("label", &it.label))
        }
        _ => None,
    }
}

fn option_names(options: &[Node]) -> Details {
    names::elements(options)
        .map(|element| (names::option_name(element), String::new()))
        .collect()
}

/// Publications and subscriptions. A connection string may hold a password and is left out.
fn replication(node: &NodeEnum) -> Described {
    match node {
        NodeEnum::CreatePublicationStmt(it) => {
            let mut objects = named(&it.pubname);
            objects.extend(published(&it.pubobjects));
            let all = detail("all-tables", it.for_all_tables.to_string());
            described("create-publication", objects, all)
        }
        NodeEnum::AlterPublicationStmt(it) => {
            let mut objects = named(&it.pubname);
            objects.extend(published(&it.pubobjects));
            described("alter-publication", objects, Vec::new())
        }
        NodeEnum::CreateSubscriptionStmt(it) => {
            let publications = strings(&it.publication).join(", ");
            described(
                "create-subscription",
                named(&it.subname),
                detail("publications", publications),
            )
        }
        NodeEnum::AlterSubscriptionStmt(it) => described("alter-subscription", named(&it.subname), Vec::new()),
        _ => None,
    }
}

fn published(nodes: &[Node]) -> Vec<ObjectName> {
    let object = |node: &Node| match inner(node) {
        Some(NodeEnum::PublicationObjSpec(object)) => match object.pubtable.as_deref() {
            Some(table) => table.relation.as_ref().map(names::relation),
            None => names::non_empty(&object.name).map(ObjectName::bare),
        },
        _ => None,
    };
    nodes.iter().filter_map(object).collect()
}

/// Foreign data and extensions. User mappings hold passwords: no option values.
fn foreign(node: &NodeEnum) -> Described {
    match node {
        NodeEnum::CreateForeignServerStmt(it) => {
            described("create-server", named(&it.servername), detail("wrapper", &it.fdwname))
        }
        NodeEnum::AlterForeignServerStmt(it) => described("alter-server", named(&it.servername), Vec::new()),
        NodeEnum::CreateUserMappingStmt(it) => described("create-user-mapping", named(&it.servername), Vec::new()),
        NodeEnum::AlterUserMappingStmt(it) => described("alter-user-mapping", named(&it.servername), Vec::new()),
        NodeEnum::CreateFdwStmt(it) => described("create-foreign-data-wrapper", named(&it.fdwname), Vec::new()),
        NodeEnum::AlterFdwStmt(it) => described("alter-foreign-data-wrapper", named(&it.fdwname), Vec::new()),
        NodeEnum::ImportForeignSchemaStmt(it) => {
            let details = vec![
                ("server".to_owned(), it.server_name.clone()),
                ("into".to_owned(), it.local_schema.clone()),
            ];
            described("import-foreign-schema", Vec::new(), details)
        }
        NodeEnum::AlterExtensionStmt(it) => {
            described("alter-extension", named(&it.extname), names::options(&it.options))
        }
        NodeEnum::AlterExtensionContentsStmt(it) => {
            let object = names::object(boxed(it.object.as_deref()));
            let mut objects = named(&it.extname);
            objects.push(object);
            described("alter-extension-contents", objects, Vec::new())
        }
        _ => None,
    }
}

/// Rarely met kinds of definitions.
fn definitions(node: &NodeEnum) -> Described {
    match node {
        NodeEnum::DefineStmt(it) => {
            let (kind, word) = names::kind(it.kind);
            let word = word.unwrap_or_else(|| format!("{kind:?}").to_ascii_lowercase());
            let tag = format!("create-{}", word.replace(' ', "-"));
            described(&tag, vec![names::qualified(&it.defnames)], Vec::new())
        }
        NodeEnum::CreateStatsStmt(it) => {
            let mut objects = vec![names::qualified(&it.defnames)];
            objects.extend(
                it.relations
                    .iter()
                    .filter_map(inner)
                    .map(|node| names::object(Some(node))),
            );
            objects.retain(|name| !name.name.is_empty());
            described("create-statistics", objects, Vec::new())
        }
        NodeEnum::AlterStatsStmt(it) => described("alter-statistics", vec![names::qualified(&it.defnames)], Vec::new()),
        NodeEnum::AlterFunctionStmt(it) => {
            let name = it.func.as_ref().map(|function| names::qualified(&function.objname));
            described("alter-function", name.into_iter().collect(), option_names(&it.actions))
        }
        NodeEnum::AlterTypeStmt(it) => described(
            "alter-type",
            vec![names::qualified(&it.type_name)],
            names::options(&it.options),
        ),
        NodeEnum::AlterObjectDependsStmt(it) => {
            let object = it
                .relation
                .as_ref()
                .map_or_else(|| names::object(boxed(it.object.as_deref())), names::relation);
            described("depends-on-extension", vec![object], Vec::new())
        }
        NodeEnum::AlterCollationStmt(it) => {
            described("alter-collation", vec![names::qualified(&it.collname)], Vec::new())
        }
        NodeEnum::CreateEventTrigStmt(it) => described(
            "create-event-trigger",
            named(&it.trigname),
            detail("event", &it.eventname),
        ),
        NodeEnum::AlterEventTrigStmt(it) => described("alter-event-trigger", named(&it.trigname), Vec::new()),
        NodeEnum::CreateAmStmt(it) => described("create-access-method", named(&it.amname), Vec::new()),
        NodeEnum::CreatePlangStmt(it) => described("create-language", named(&it.plname), Vec::new()),
        NodeEnum::CreateCastStmt(_) => described("create-cast", Vec::new(), Vec::new()),
        NodeEnum::CreateTransformStmt(_) => described("create-transform", Vec::new(), Vec::new()),
        NodeEnum::CreateConversionStmt(it) => described(
            "create-conversion",
            vec![names::qualified(&it.conversion_name)],
            Vec::new(),
        ),
        NodeEnum::CreateOpClassStmt(it) => described(
            "create-operator-class",
            vec![names::qualified(&it.opclassname)],
            Vec::new(),
        ),
        NodeEnum::CreateOpFamilyStmt(it) => described(
            "create-operator-family",
            vec![names::qualified(&it.opfamilyname)],
            Vec::new(),
        ),
        NodeEnum::AlterOpFamilyStmt(it) => described(
            "alter-operator-family",
            vec![names::qualified(&it.opfamilyname)],
            Vec::new(),
        ),
        NodeEnum::AlterTsdictionaryStmt(it) => described(
            "alter-text-search-dictionary",
            vec![names::qualified(&it.dictname)],
            Vec::new(),
        ),
        NodeEnum::AlterTsconfigurationStmt(it) => described(
            "alter-text-search-configuration",
            vec![names::qualified(&it.cfgname)],
            Vec::new(),
        ),
        _ => None,
    }
}
