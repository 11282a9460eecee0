//! `no-money`: amounts whose meaning depends on a setting of the server.

use tollgate_plugin::rules::{Context, Findings, Rule};
use tollgate_plugin::{Dialect, Severity};

use super::{Verdict, is, judge_types};
use crate::types;

pub(super) const RULE: Rule = Rule {
    id: "no-money",
    summary: "money, whose digits depend on the server's locale",
    severity: Severity::Low,
    enabled: false,
    dialects: &[Dialect::Postgres],
    explanation: "\
**What it does.** Reports columns of the type `money`.

**Why it matters.** How many digits follow the point, and which currency is meant, comes from the server's setting `lc_monetary`: \
a dump restored under another locale has other amounts. Fractions of a cent are lost in every division.

**Instead.** Write `numeric(19, 4)` or an integer count of the smallest unit, and keep the currency in a column of its own.",
    bad: "CREATE TABLE orders (id bigint PRIMARY KEY, total money NOT NULL);",
    good: "CREATE TABLE orders (id bigint PRIMARY KEY, total numeric(19, 4) NOT NULL, currency text NOT NULL);",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    let help = "write numeric, and keep the currency in a column of its own";
    judge_types(context, findings, help, |column| {
        let parts = types::parts(column.data_type);
        (parts.name == "money").then(|| Verdict {
            message: format!(
                "{} {} money, whose digits depend on the server's locale",
                column.shown(),
                is(column)
            ),
            instead: Some(format!("numeric(19, 4){}", parts.dimensions)),
            automatic: false,
        })
    });
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Applicability::Manual;
    use tollgate_plugin::Severity::Low;

    use super::RULE;
    use crate::judge::{fixed, postgres};

    #[test]
    fn money_is_reported() {
        let rule = postgres(&RULE);
        rule.reports(
            "",
            "CREATE TABLE a (b MONEY);",
            Low,
            "a.b is money, whose digits depend on the server's locale",
        );
        rule.reports(
            "",
            "ALTER TABLE IF EXISTS \"A\" ADD COLUMN \"Total\" money NOT NULL DEFAULT 0;",
            Low,
            "A.Total is money, whose digits depend on the server's locale",
        );
        rule.reports(
            "CREATE TABLE a (b numeric);",
            "ALTER TABLE a ALTER b TYPE money;",
            Low,
            "a.b becomes money, whose digits depend on the server's locale",
        );
    }

    #[test]
    fn amounts_are_not() {
        let rule = postgres(&RULE);
        rule.ignores("", "CREATE TABLE a (money numeric(19, 4), cents bigint);");
        rule.ignores("CREATE TABLE a (b money);", "ALTER TABLE a ALTER b TYPE numeric;");
        rule.ignores("", "CREATE TABLE a (b \"Money\");");
        rule.ignores("", "CREATE TABLE a (b app.money);");
    }

    #[test]
    fn numeric_takes_its_place() {
        assert_eq!(
            fixed(&RULE, "ALTER TABLE a ADD b money;", Manual),
            "ALTER TABLE a ADD b numeric(19, 4);"
        );
    }
}
