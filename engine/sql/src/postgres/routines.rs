//! CREATE FUNCTION and DO: what their bodies may do.

use pg_query::NodeEnum;
use pg_query::protobuf::{CreateFunctionStmt, DefineStmt, DoStmt, FunctionParameter, FunctionParameterMode, Node};

use super::names::{self, boxed, inner, non_empty};
use super::plpgsql::{self, Kind};
use super::reader::{Reader, nested};
use super::types;
use crate::name::Dialect;
use crate::operation::{CreateFunction, ObjectKind, Operation, Volatility};
use crate::script::{Effect, Span};

/// What could be read of a body.
#[derive(Default)]
struct Body {
    operations: Vec<Operation>,
    opaque: bool,
}

impl Reader<'_> {
    pub(super) fn create_function(&mut self, it: &CreateFunctionStmt) {
        let language = names::element(&it.options, "language")
            .and_then(names::value)
            .map_or_else(|| "sql".to_owned(), |language| language.to_ascii_lowercase());
        let body = names::element(&it.options, "as").and_then(|element| match boxed(element.arg.as_deref()) {
            Some(NodeEnum::List(list)) => list.items.first().and_then(names::string).map(str::to_owned),
            _ => None,
        });
        let read = match (boxed(it.sql_body.as_deref()), &body, language.as_str()) {
            (Some(statements), ..) => self.atomic_body(statements),
            (None, Some(text), "sql") => sql_body(text, self.source.depth + 1),
            (None, Some(text), "plpgsql") => plpgsql_body(text, self.source.depth + 1),
            _ => Body {
                operations: Vec::new(),
                opaque: true,
            },
        };
        let settings = names::elements(&it.options)
            .filter(|element| element.defname == "set")
            .filter_map(|element| match boxed(element.arg.as_deref()) {
                Some(NodeEnum::VariableSetStmt(setting)) => Some(setting.name.clone()),
                _ => None,
            });
        let function = CreateFunction {
            name: names::qualified(&it.funcname),
            kind: if it.is_procedure {
                ObjectKind::Procedure
            } else {
                ObjectKind::Function
            },
            or_replace: it.replace,
            arguments: it.parameters.iter().filter_map(input_type).collect(),
            returns: returns(it),
            language,
            body,
            security_definer: names::flag(&it.options, "security"),
            settings: settings.collect(),
            volatility: declared_volatility(&it.options),
            body_operations: read.operations,
            opaque: read.opaque,
            definition: self.text(),
        };
        self.push(Operation::CreateFunction(Box::new(function)));
    }

    /// CREATE AGGREGATE: its functions are called by name, so there is no body to read.
    pub(super) fn create_aggregate(&mut self, it: &DefineStmt) {
        let parameters = match it.args.first().and_then(inner) {
            Some(NodeEnum::List(list)) => list.items.as_slice(),
            _ => &[],
        };
        let function = CreateFunction {
            name: names::qualified(&it.defnames),
            kind: ObjectKind::Aggregate,
            or_replace: it.replace,
            arguments: parameters.iter().filter_map(input_type).collect(),
            returns: None,
            language: "internal".to_owned(),
            body: None,
            security_definer: false,
            settings: Vec::new(),
            volatility: Volatility::Immutable,
            body_operations: Vec::new(),
            opaque: false,
            definition: self.text(),
        };
        self.push(Operation::CreateFunction(Box::new(function)));
    }

    /// BEGIN ATOMIC … END or RETURN expression: already part of the tree.
    fn atomic_body(&self, statements: &NodeEnum) -> Body {
        let mut reader = Reader::new(self.source, self.range);
        read_all(&mut reader, statements);
        let operations: Vec<Operation> = reader.effects.into_iter().map(|effect| effect.operation).collect();
        let opaque = operations
            .iter()
            .any(|operation| matches!(operation, Operation::Dynamic { .. }));
        Body { operations, opaque }
    }

    pub(super) fn do_block(&mut self, it: &DoStmt) {
        let language = names::element(&it.args, "language").and_then(names::value);
        let body = names::element(&it.args, "as");
        let text = body.and_then(names::value).unwrap_or_default();
        if language.is_some_and(|language| !language.eq_ignore_ascii_case("plpgsql")) {
            self.push_conditional(self.span, Operation::Dynamic { text });
            return;
        }
        let found = plpgsql::read(&text);
        self.transactional &= !found.iter().any(|item| item.kind == Kind::TransactionControl);
        let base = plpgsql::body_offset(self.source, self.range, &text);
        for effect in found.iter().flat_map(|item| item.effects(self.source.depth + 1)) {
            let Span { start, end } = effect.span;
            let span = base.map_or(self.span, |base| Span::new(base + start, base + end));
            self.push_conditional(span, effect.operation);
        }
    }

    fn push_conditional(&mut self, span: Span, operation: Operation) {
        self.effects.push(Effect {
            span,
            operation,
            conditional: true,
        });
    }
}

fn read_all(reader: &mut Reader<'_>, node: &NodeEnum) {
    match node {
        NodeEnum::List(list) => {
            for item in list.items.iter().filter_map(inner) {
                read_all(reader, item);
            }
        }
        NodeEnum::ReturnStmt(_) => reader.calls(node),
        statement => reader.read(statement),
    }
}

fn sql_body(text: &str, depth: u8) -> Body {
    let Some(statements) = nested(text, depth) else {
        return Body {
            operations: Vec::new(),
            opaque: true,
        };
    };
    let effects = statements.into_iter().flat_map(|statement| statement.effects);
    body_of(effects.map(|effect| effect.operation).collect())
}

fn plpgsql_body(body: &str, depth: u8) -> Body {
    body_of(
        plpgsql::read(body)
            .iter()
            .flat_map(|item| item.effects(depth))
            .map(|effect| effect.operation)
            .collect(),
    )
}

fn body_of(operations: Vec<Operation>) -> Body {
    let opaque = operations
        .iter()
        .any(|operation| matches!(operation, Operation::Dynamic { .. }));
    Body { operations, opaque }
}

fn parameter(node: &Node) -> Option<&FunctionParameter> {
    match inner(node) {
        Some(NodeEnum::FunctionParameter(parameter)) => Some(parameter),
        _ => None,
    }
}

fn type_text(parameter: &FunctionParameter) -> String {
    parameter
        .arg_type
        .as_ref()
        .map(|name| types::data_type(name).sql(Dialect::Postgres))
        .unwrap_or_default()
}

/// The type of a parameter that a caller passes.
fn input_type(node: &Node) -> Option<String> {
    use FunctionParameterMode as M;
    let parameter = parameter(node)?;
    match FunctionParameterMode::try_from(parameter.mode) {
        Ok(M::FuncParamOut | M::FuncParamTable) => None,
        _ => Some(type_text(parameter)),
    }
}

fn returns(it: &CreateFunctionStmt) -> Option<String> {
    let columns: Vec<String> = it
        .parameters
        .iter()
        .filter_map(parameter)
        .filter(|parameter| parameter.mode == FunctionParameterMode::FuncParamTable as i32)
        .map(|parameter| {
            format!(
                "{} {}",
                Dialect::Postgres.quote_if_needed(&parameter.name),
                type_text(parameter)
            )
        })
        .collect();
    if !columns.is_empty() {
        return Some(format!("TABLE({})", columns.join(", ")));
    }
    let name = it.return_type.as_ref()?;
    let text = types::data_type(name).sql(Dialect::Postgres);
    non_empty(&if name.setof { format!("SETOF {text}") } else { text })
}

fn declared_volatility(options: &[Node]) -> Volatility {
    match names::element(options, "volatility").and_then(names::value).as_deref() {
        Some("immutable") => Volatility::Immutable,
        Some("stable") => Volatility::Stable,
        _ => Volatility::Volatile,
    }
}
