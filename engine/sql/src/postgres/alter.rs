//! ALTER TABLE and what shares its grammar: ALTER INDEX, VIEW, SEQUENCE, TYPE, FOREIGN TABLE.

use pg_query::NodeEnum;
use pg_query::protobuf::{AlterTableCmd, AlterTableStmt, AlterTableType, DropBehavior, ObjectType, Token};

use super::columns::{as_constraint, identity, sequence_options};
use super::names::{self, boxed, inner};
use super::reader::Reader;
use super::source::offset;
use crate::name::ObjectName;
use crate::operation::{AddColumn, Identity, ObjectKind, Operation, OtherOperation};

/// What every command of one statement shares.
struct Target {
    kind: ObjectKind,
    name: ObjectName,
    is_type: bool,
}

pub(super) fn cascades(behavior: i32) -> bool {
    behavior == DropBehavior::DropCascade as i32
}

impl Reader<'_> {
    pub(super) fn alter_table(&mut self, it: &AlterTableStmt) {
        let target = Target {
            kind: names::kind(it.objtype).0,
            name: names::relation_of(it.relation.as_ref()),
            is_type: it.objtype == ObjectType::ObjectType as i32,
        };
        let clauses = self.command_clauses(it);
        for (command, range) in it.cmds.iter().zip(clauses) {
            if let Some(NodeEnum::AlterTableCmd(command)) = inner(command) {
                self.command(command, range, &target);
            }
        }
    }

    /// The tokens of each command: what stands between commas after the relation's name.
    fn command_clauses(&self, it: &AlterTableStmt) -> Vec<(usize, usize)> {
        let location = it.relation.as_ref().map_or(0, |relation| relation.location);
        let mut start = self.source.past_name(self.source.token_at(offset(location)));
        if self.source.is(start, Token::Ascii42) {
            start += 1;
        }
        let clauses = self.source.split_commas((start, self.range.1));
        if clauses.len() == it.cmds.len() {
            clauses
        } else {
            vec![self.range; it.cmds.len()]
        }
    }

    fn command(&mut self, it: &AlterTableCmd, range: (usize, usize), target: &Target) {
        let first = self.effects.len();
        if target.is_type {
            let text = self.source.slice(range).to_owned();
            self.push_at(
                range,
                Operation::AlterComposite {
                    name: target.name.clone(),
                    text,
                },
            );
            return;
        }
        let subtype = AlterTableType::try_from(it.subtype).unwrap_or(AlterTableType::Undefined);
        let done = self.column_command(subtype, it, range, target)
            || self.constraint_command(subtype, it, range, target)
            || self.table_command(subtype, it, range, target);
        if !done || self.effects.len() == first {
            self.other_command(subtype, it, range, target);
        }
    }

    /// Commands on one column. The answer says whether the command is one.
    fn column_command(
        &mut self,
        subtype: AlterTableType,
        it: &AlterTableCmd,
        range: (usize, usize),
        target: &Target,
    ) -> bool {
        use AlterTableType as A;
        let (table, column) = (target.name.clone(), it.name.clone());
        let operation = match subtype {
            A::AtAddColumn => match boxed(it.def.as_deref()) {
                Some(NodeEnum::ColumnDef(definition)) => {
                    let (column, constraints) = self.column(definition, range.1);
                    Operation::AddColumn(Box::new(AddColumn {
                        table,
                        column,
                        constraints,
                        if_not_exists: it.missing_ok,
                    }))
                }
                _ => return false,
            },
            A::AtDropColumn => {
                let cascade = cascades(it.behavior);
                Operation::DropColumn {
                    table,
                    column,
                    if_exists: it.missing_ok,
                    cascade,
                }
            }
            A::AtAlterColumnType => match boxed(it.def.as_deref()) {
                Some(NodeEnum::ColumnDef(definition)) => {
                    let (to, collation) = Self::new_type(definition);
                    let using = self
                        .source
                        .find(range, Token::Using)
                        .and_then(|index| self.expression(definition.raw_default.as_deref(), (index + 1, range.1)));
                    Operation::AlterColumnType {
                        table,
                        column,
                        to,
                        using,
                        collation,
                    }
                }
                _ => return false,
            },
            A::AtColumnDefault => {
                let start = self
                    .source
                    .find(range, Token::Default)
                    .map_or(range.0, |index| index + 1);
                match self.expression(it.def.as_deref(), (start, range.1)) {
                    Some(default) => Operation::SetDefault { table, column, default },
                    None => Operation::DropDefault { table, column },
                }
            }
            A::AtSetNotNull => Operation::SetNotNull { table, column },
            A::AtDropNotNull => Operation::DropNotNull { table, column },
            A::AtSetExpression => {
                let inside = self.source.inside(range).unwrap_or(range);
                match self.expression(it.def.as_deref(), inside) {
                    Some(expression) => Operation::SetExpression {
                        table,
                        column,
                        expression,
                    },
                    None => return false,
                }
            }
            A::AtDropExpression => Operation::DropExpression {
                table,
                column,
                if_exists: it.missing_ok,
            },
            A::AtAddIdentity => match as_constraint(it.def.as_deref()) {
                Some(definition) => Operation::AddIdentity {
                    table,
                    column,
                    identity: identity(&definition.generated_when),
                    options: sequence_options(&definition.options),
                },
                None => return false,
            },
            A::AtSetIdentity => alter_identity(table, column, it),
            A::AtDropIdentity => Operation::DropIdentity {
                table,
                column,
                if_exists: it.missing_ok,
            },
            A::AtSetStatistics | A::AtSetStorage | A::AtSetCompression | A::AtSetOptions | A::AtResetOptions => {
                for (option, value) in column_options(subtype, it) {
                    let (table, column) = (table.clone(), column_or_number(it));
                    self.push_at(
                        range,
                        Operation::SetColumnOption {
                            table,
                            column,
                            option,
                            value,
                        },
                    );
                }
                return true;
            }
            _ => return false,
        };
        self.push_at(range, operation);
        true
    }

    fn constraint_command(
        &mut self,
        subtype: AlterTableType,
        it: &AlterTableCmd,
        range: (usize, usize),
        target: &Target,
    ) -> bool {
        use AlterTableType as A;
        let (table, name) = (target.name.clone(), it.name.clone());
        let operation = match subtype {
            A::AtAddConstraint => {
                let constraint = as_constraint(it.def.as_deref()).and_then(|it| self.constraint(it, range, None));
                let Some(constraint) = constraint else { return false };
                Operation::AddConstraint {
                    table,
                    constraint: Box::new(constraint),
                }
            }
            A::AtDropConstraint => Operation::DropConstraint {
                table,
                name,
                if_exists: it.missing_ok,
                cascade: cascades(it.behavior),
            },
            A::AtValidateConstraint => Operation::ValidateConstraint { table, name },
            A::AtAlterConstraint => match boxed(it.def.as_deref()) {
                Some(NodeEnum::AtalterConstraint(change)) if change.alter_deferrability => Operation::AlterConstraint {
                    table,
                    name: change.conname.clone(),
                    deferrable: change.deferrable,
                    initially_deferred: change.initdeferred,
                },
                _ => return false,
            },
            _ => return false,
        };
        self.push_at(range, operation);
        true
    }

    fn table_command(
        &mut self,
        subtype: AlterTableType,
        it: &AlterTableCmd,
        range: (usize, usize),
        target: &Target,
    ) -> bool {
        use AlterTableType as A;
        let (kind, table) = (target.kind, target.name.clone());
        let operation = match subtype {
            A::AtAttachPartition | A::AtDetachPartition | A::AtDetachPartitionFinalize => {
                return self.partition_command(subtype, it, range, target);
            }
            A::AtAddInherit | A::AtDropInherit => match boxed(it.def.as_deref()) {
                Some(NodeEnum::RangeVar(parent)) => Operation::Inherit {
                    table,
                    parent: names::relation(parent),
                    inherit: subtype == A::AtAddInherit,
                },
                _ => return false,
            },
            A::AtEnableRowSecurity => Operation::RowSecurity { table, enable: true },
            A::AtDisableRowSecurity => Operation::RowSecurity { table, enable: false },
            A::AtForceRowSecurity => Operation::ForceRowSecurity { table, force: true },
            A::AtNoForceRowSecurity => Operation::ForceRowSecurity { table, force: false },
            A::AtEnableTrig | A::AtEnableAlwaysTrig | A::AtEnableReplicaTrig => Operation::EnableTrigger {
                table,
                name: Some(it.name.clone()),
                enable: true,
            },
            A::AtDisableTrig => Operation::EnableTrigger {
                table,
                name: Some(it.name.clone()),
                enable: false,
            },
            A::AtEnableTrigAll | A::AtEnableTrigUser => Operation::EnableTrigger {
                table,
                name: None,
                enable: true,
            },
            A::AtDisableTrigAll | A::AtDisableTrigUser => Operation::EnableTrigger {
                table,
                name: None,
                enable: false,
            },
            A::AtReplicaIdentity => match boxed(it.def.as_deref()) {
                Some(NodeEnum::ReplicaIdentityStmt(replica)) => {
                    let identity = match replica.identity_type.as_str() {
                        "f" => "full".to_owned(),
                        "n" => "nothing".to_owned(),
                        "i" => format!("index:{}", replica.name),
                        _ => "default".to_owned(),
                    };
                    Operation::ReplicaIdentity { table, identity }
                }
                _ => return false,
            },
            A::AtSetLogged => Operation::SetLogged { table, logged: true },
            A::AtSetUnLogged => Operation::SetLogged { table, logged: false },
            A::AtSetTableSpace => Operation::SetTablespace {
                kind,
                name: table,
                tablespace: it.name.clone(),
            },
            A::AtSetAccessMethod => Operation::SetAccessMethod {
                table,
                method: it.name.clone(),
            },
            A::AtSetRelOptions | A::AtReplaceRelOptions | A::AtResetRelOptions => {
                let Some(NodeEnum::List(list)) = boxed(it.def.as_deref()) else {
                    return false;
                };
                let set = subtype != A::AtResetRelOptions;
                let parameters = names::options(&list.items)
                    .into_iter()
                    .map(|(name, value)| (name, set.then_some(value)));
                Operation::SetStorageParameters {
                    kind,
                    name: table,
                    parameters: parameters.collect(),
                }
            }
            A::AtChangeOwner => Operation::SetOwner {
                kind,
                name: table,
                owner: names::role(it.newowner.as_ref()),
            },
            _ => return false,
        };
        self.push_at(range, operation);
        true
    }

    fn partition_command(
        &mut self,
        subtype: AlterTableType,
        it: &AlterTableCmd,
        range: (usize, usize),
        target: &Target,
    ) -> bool {
        use AlterTableType as A;
        let Some(NodeEnum::PartitionCmd(command)) = boxed(it.def.as_deref()) else {
            return false;
        };
        let (table, partition) = (target.name.clone(), names::relation_of(command.name.as_ref()));
        let operation = match subtype {
            A::AtAttachPartition if target.kind == ObjectKind::Index => Operation::AttachIndex {
                index: table,
                child: partition,
            },
            A::AtAttachPartition => Operation::AttachPartition {
                table,
                partition,
                bound: self.partition_bound(range),
            },
            _ => Operation::DetachPartition {
                table,
                partition,
                concurrently: command.concurrent,
                finalize: subtype == A::AtDetachPartitionFinalize,
            },
        };
        self.push_at(range, operation);
        true
    }

    /// Everything that has no operation of its own, by the words of its first tokens.
    fn other_command(&mut self, subtype: AlterTableType, it: &AlterTableCmd, range: (usize, usize), target: &Target) {
        use AlterTableType as A;
        let tag = match subtype {
            A::AtClusterOn => "cluster-on",
            A::AtDropCluster => "set-without-cluster",
            A::AtDropOids => "set-without-oids",
            A::AtEnableRule | A::AtEnableAlwaysRule | A::AtEnableReplicaRule => "enable-rule",
            A::AtDisableRule => "disable-rule",
            A::AtAddOf => "of-type",
            A::AtDropOf => "not-of-type",
            A::AtAlterConstraint => "alter-constraint",
            A::AtGenericOptions | A::AtAlterColumnGenericOptions => "foreign-options",
            _ => "alter-table",
        };
        let mut details = vec![("text".to_owned(), self.source.slice(range).to_owned())];
        if !it.name.is_empty() {
            details.insert(0, ("name".to_owned(), it.name.clone()));
        }
        let operation = OtherOperation {
            tag: tag.to_owned(),
            objects: vec![target.name.clone()],
            details,
        };
        self.push_at(range, Operation::Other(operation));
    }
}

/// ALTER COLUMN … SET GENERATED / RESTART and other options of the sequence.
fn alter_identity(table: ObjectName, column: String, it: &AlterTableCmd) -> Operation {
    let Some(NodeEnum::List(list)) = boxed(it.def.as_deref()) else {
        return Operation::AlterIdentity {
            table,
            column,
            identity: None,
            options: Vec::new(),
        };
    };
    let identity = names::element(&list.items, "generated")
        .and_then(names::value)
        .map(|code| {
            // The tree holds the character's code.
            if code == u32::from(b'a').to_string() {
                Identity::Always
            } else {
                Identity::ByDefault
            }
        });
    Operation::AlterIdentity {
        table,
        column,
        identity,
        options: sequence_options(&list.items),
    }
}

fn column_options(subtype: AlterTableType, it: &AlterTableCmd) -> Vec<(String, String)> {
    use AlterTableType as A;
    let value = boxed(it.def.as_deref()).map(names::literal);
    let one =
        |option: &str, fallback: &str| vec![(option.to_owned(), value.clone().unwrap_or_else(|| fallback.to_owned()))];
    match (subtype, boxed(it.def.as_deref())) {
        (A::AtSetStatistics, _) => one("statistics", "default"),
        (A::AtSetStorage, _) => one("storage", "default"),
        (A::AtSetCompression, _) => one("compression", "default"),
        (A::AtResetOptions, Some(NodeEnum::List(list))) => names::options(&list.items)
            .into_iter()
            .map(|(name, _)| (name, String::new()))
            .collect(),
        (_, Some(NodeEnum::List(list))) => names::options(&list.items),
        _ => Vec::new(),
    }
}

/// An index's column is named by its number.
fn column_or_number(it: &AlterTableCmd) -> String {
    if it.name.is_empty() {
        it.num.to_string()
    } else {
        it.name.clone()
    }
}
