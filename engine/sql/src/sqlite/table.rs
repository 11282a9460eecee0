//! CREATE TABLE and CREATE VIRTUAL TABLE: columns and constraints.

use syntaqlite::nodes::{
    ColumnConstraint, ColumnConstraintItem, ColumnConstraintType, ColumnDef, CreateTableStmt, CreateVirtualTableStmt,
    Deferrable, ForeignKeyAction, ForeignKeyClause, ForeignKeyOptionKind, GeneratedColumnStorage, InitialDeferMode,
    OrderByList, TableConstraint, TableConstraintItem, TableConstraintType, TemporaryQualifier,
};

use crate::name::ObjectName;
use crate::operation::{
    ColumnDefinition, ConstraintDefinition, ConstraintKind, CreateTable, DataType, Generated, Identity,
    ReferentialAction,
};

use super::expression::{column_names, column_of, default, expression};
use super::tree::{Tree, first_unquoted, items};

/// CREATE TABLE.
pub(super) fn create_table<'a>(tree: Tree<'a>, create: CreateTableStmt<'a>) -> CreateTable {
    let mut table = CreateTable::bare(tree.object(create.node_id(), "table_name"));
    table.if_not_exists = create.if_not_exists();
    table.temporary = is_temporary(create.temporary(), &table.name);
    table.without_rowid = create.flags().without_rowid();
    table.strict = create.flags().strict();
    for definition in items(create.columns()) {
        let (column, mut constraints) = column(tree, definition);
        table.columns.push(column);
        table.constraints.append(&mut constraints);
    }
    for group in items(create.table_constraints()) {
        let mut name = None;
        for item in items(Some(group)) {
            match item {
                TableConstraintItem::ConstraintNameDeclaration(declared) => {
                    // The grammar leaves the quotes of these names on.
                    name = tree
                        .identifier(declared.node_id(), "name")
                        .map(|name| first_unquoted(&name));
                }
                TableConstraintItem::TableConstraint(constraint) => {
                    if constraint.is_autoincrement() {
                        mark_autoincrement(&mut table.columns, &key_columns(tree, constraint.pk_columns()));
                    }
                    table
                        .constraints
                        .extend(table_constraint(tree, constraint, name.take()));
                }
            }
        }
    }
    if let Some(query) = create.as_select() {
        table.as_query = Some(tree.text_of(query.node_id()).to_owned());
        table.reads = tree.reads(query.node_id());
    }
    table
}

/// CREATE VIRTUAL TABLE. Its columns are the module's affair; the arguments are kept as written.
pub(super) fn create_virtual_table<'a>(tree: Tree<'a>, create: CreateVirtualTableStmt<'a>) -> CreateTable {
    let mut table = CreateTable::bare(tree.object(create.node_id(), "table_name"));
    table.if_not_exists = create.if_not_exists();
    table.access_method = tree.identifier(create.node_id(), "module_name");
    if create.has_module_args() {
        table
            .options
            .push(("arguments".to_owned(), create.module_args().to_owned()));
    }
    table
}

/// A column and the constraints written beside it.
pub(super) fn column<'a>(tree: Tree<'a>, definition: ColumnDef<'a>) -> (ColumnDefinition, Vec<ConstraintDefinition>) {
    let mut column = ColumnDefinition {
        name: definition.column_name().map(|name| tree.name(name)).unwrap_or_default(),
        data_type: declared_type(definition.type_name()),
        serial: false,
        not_null: false,
        default: None,
        generated: None,
        identity: None,
        sequence_options: Vec::new(),
        collation: None,
        options: Vec::new(),
    };
    let mut constraints = Vec::new();
    let mut name = None;
    for item in items(definition.constraints()) {
        match item {
            ColumnConstraintItem::ConstraintNameDeclaration(declared) => {
                name = tree
                    .identifier(declared.node_id(), "name")
                    .map(|name| first_unquoted(&name));
            }
            ColumnConstraintItem::ColumnConstraint(constraint) => {
                column_constraint(tree, constraint, &mut name, &mut column, &mut constraints);
            }
        }
    }
    (column, constraints)
}

/// Adds what one column constraint says to the column or to the constraints.
fn column_constraint<'a>(
    tree: Tree<'a>,
    constraint: ColumnConstraint<'a>,
    name: &mut Option<String>,
    column: &mut ColumnDefinition,
    constraints: &mut Vec<ConstraintDefinition>,
) {
    let columns = vec![column.name.clone()];
    let kind = match constraint.kind() {
        ColumnConstraintType::Default => {
            column.default = constraint.default_expr().map(|expr| default(tree, expr));
            None
        }
        ColumnConstraintType::NotNull => {
            column.not_null = true;
            None
        }
        ColumnConstraintType::Collate => {
            column.collation = tree
                .identifier(constraint.node_id(), "collation_name")
                .map(ObjectName::bare);
            None
        }
        ColumnConstraintType::Generated => {
            let stored = constraint.generated_storage() == GeneratedColumnStorage::Stored;
            let expr = constraint.generated_expr();
            column.generated = expr.map(|expr| Generated {
                expression: expression(tree, expr),
                stored,
            });
            None
        }
        ColumnConstraintType::PrimaryKey => {
            if constraint.is_autoincrement() {
                column.identity = Some(Identity::Autoincrement);
            }
            Some(ConstraintKind::PrimaryKey {
                columns,
                include: Vec::new(),
                using_index: None,
            })
        }
        ColumnConstraintType::Unique => Some(ConstraintKind::unique(columns)),
        ColumnConstraintType::Check => constraint.check_expr().map(|expr| check(expression(tree, expr))),
        ColumnConstraintType::References => constraint.fk_clause().map(|clause| foreign_key(tree, columns, clause)),
        // A clause of its own to the grammar; it belongs to the foreign key before it.
        ColumnConstraintType::Deferrable => {
            if let Some(last) = constraints.last_mut() {
                set_deferrable(last, constraint.deferrable(), constraint.initial_defer());
            }
            None
        }
        ColumnConstraintType::Null => None,
    };
    let name = name.take();
    if let Some(kind) = kind {
        let mut made = ConstraintDefinition {
            of_column: true,
            ..ConstraintDefinition::plain(name, kind)
        };
        if let Some(clause) = constraint.fk_clause() {
            set_deferrable(&mut made, clause.deferrable(), clause.initial_defer());
        }
        constraints.push(made);
    }
}

fn table_constraint<'a>(
    tree: Tree<'a>,
    constraint: TableConstraint<'a>,
    name: Option<String>,
) -> Option<ConstraintDefinition> {
    let kind = match constraint.kind() {
        TableConstraintType::PrimaryKey => ConstraintKind::PrimaryKey {
            columns: key_columns(tree, constraint.pk_columns()),
            include: Vec::new(),
            using_index: None,
        },
        TableConstraintType::Unique => ConstraintKind::unique(key_columns(tree, constraint.pk_columns())),
        TableConstraintType::Check => check(expression(tree, constraint.check_expr()?)),
        TableConstraintType::ForeignKey => foreign_key(
            tree,
            column_names(tree, constraint.fk_columns()),
            constraint.fk_clause()?,
        ),
    };
    let mut made = ConstraintDefinition::plain(name, kind);
    if let Some(clause) = constraint.fk_clause() {
        set_deferrable(&mut made, clause.deferrable(), clause.initial_defer());
    }
    Some(made)
}

fn check(expression: crate::operation::Expression) -> ConstraintKind {
    ConstraintKind::Check { expression }
}

/// REFERENCES. MATCH is read and ignored by the library, so it is ignored here.
fn foreign_key<'a>(tree: Tree<'a>, columns: Vec<String>, clause: ForeignKeyClause<'a>) -> ConstraintKind {
    let mut on_update = ReferentialAction::NoAction;
    let mut on_delete = ReferentialAction::NoAction;
    for option in items(clause.options()) {
        match option.kind() {
            ForeignKeyOptionKind::OnDelete => on_delete = action(option.action()),
            ForeignKeyOptionKind::OnUpdate => on_update = action(option.action()),
            ForeignKeyOptionKind::OnInsert | ForeignKeyOptionKind::Match => {}
        }
    }
    ConstraintKind::ForeignKey {
        columns,
        references: ObjectName::bare(tree.identifier(clause.node_id(), "ref_table").unwrap_or_default()),
        referenced_columns: column_names(tree, clause.ref_columns()),
        on_update,
        on_delete,
        on_delete_columns: Vec::new(),
        match_full: false,
    }
}

fn action(action: ForeignKeyAction) -> ReferentialAction {
    match action {
        ForeignKeyAction::Unset | ForeignKeyAction::NoAction => ReferentialAction::NoAction,
        ForeignKeyAction::SetNull => ReferentialAction::SetNull,
        ForeignKeyAction::SetDefault => ReferentialAction::SetDefault,
        ForeignKeyAction::Cascade => ReferentialAction::Cascade,
        ForeignKeyAction::Restrict => ReferentialAction::Restrict,
    }
}

/// Nothing but DEFERRABLE INITIALLY DEFERRED is deferred; the rest is immediate, as in the library.
fn set_deferrable(constraint: &mut ConstraintDefinition, deferrable: Deferrable, initially: InitialDeferMode) {
    if deferrable != Deferrable::Unset {
        constraint.deferrable = deferrable == Deferrable::Deferrable;
        constraint.initially_deferred = constraint.deferrable && initially == InitialDeferMode::Deferred;
    }
}

/// Columns of PRIMARY KEY (…) and UNIQUE (…).
fn key_columns<'a>(tree: Tree<'a>, parts: Option<OrderByList<'a>>) -> Vec<String> {
    let parts = items(parts);
    parts
        .into_iter()
        .filter_map(|part| part.expr())
        .filter_map(|expr| column_of(tree, expr))
        .map(|(name, _)| name)
        .collect()
}

/// PRIMARY KEY (x AUTOINCREMENT) as a table constraint.
fn mark_autoincrement(columns: &mut [ColumnDefinition], key: &[String]) {
    for column in columns
        .iter_mut()
        .filter(|column| key.iter().any(|key| key.eq_ignore_ascii_case(&column.name)))
    {
        column.identity = Some(Identity::Autoincrement);
    }
}

/// Types that the library knows by number and prints in capitals however they were written.
const STANDARD_TYPES: &[&str] = &["ANY", "BLOB", "INT", "INTEGER", "REAL", "TEXT"];

/// The declared type as the library prints it: as written, but for the standard types, and of a quoted one what stands
/// between the quotes.
fn declared_type(written: &str) -> DataType {
    let standard = STANDARD_TYPES
        .iter()
        .find(|standard| standard.eq_ignore_ascii_case(written));
    let name = standard.map_or_else(|| first_unquoted(written), |standard| (*standard).to_owned());
    DataType {
        schema: None,
        name,
        modifiers: Vec::new(),
        dimensions: 0,
    }
}

/// TEMP is written, or the name says so.
pub(super) fn is_temporary(qualifier: TemporaryQualifier, name: &ObjectName) -> bool {
    qualifier != TemporaryQualifier::None
        || name
            .schema
            .as_deref()
            .is_some_and(|schema| schema.eq_ignore_ascii_case("temp"))
}
