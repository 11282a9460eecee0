# Sourced by tests/run and examples/quickstart/run: installs what a build or the tests need, and says what it does.
# Debian and Ubuntu; elsewhere it names what is missing and stops.

say() { printf '\033[1m== %s\033[0m\n' "$*" | if [ -t 1 ]; then cat; else sed 's/\x1b\[[0-9;]*m//g'; fi; }
stop() { printf 'error: %s\n' "$*" >&2; exit 1; }

# install PACKAGE… : with apt, as root or through sudo
install() {
    command -v apt-get >/dev/null || stop "please install the counterparts of these Debian packages, then run this again: $*"
    local sudo=()
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || stop "please run 'apt-get install $*' as root, then run this again"
        sudo=(sudo)
    fi
    say "installing $*"
    if [ -z "${apt_updated:-}" ]; then
        "${sudo[@]}" apt-get update -qq || stop "apt-get update failed: is the network there?"
        apt_updated=yes
    fi
    DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq "$@" >/dev/null || stop "apt-get could not install $*"
}

need_rust() {
    [ -x "$(command -v cargo)" ] || PATH="$HOME/.cargo/bin:$PATH"
    command -v cargo >/dev/null || stop "Rust is not installed: get it from https://rustup.rs, then run this again"
    local version
    version=$(cargo --version | cut -d' ' -f2)
    [ "$(printf '%s\n1.95.0\n' "$version" | sort -V | head -n 1)" = 1.95.0 ] \
        || stop "Rust $version is too old, Tollgate needs 1.95: run 'rustup update stable', then run this again"
}

# need_space GIGABYTES : on the disk with the target folder, unless most of it has been built already. A full disk shows as
# whatever failed to write first: a linker that crashes, a database that stops.
need_space() {
    local target=${CARGO_TARGET_DIR:-target} free
    [ ! -d "$target/debug/deps" ] || return 0
    mkdir -p "$target"
    free=$(df -Pk "$target" | awk 'NR == 2 { print int($4 / 1000000) }')
    [ "$free" -ge "$1" ] || stop "$free GB are free for $target, and the tests need $1 GB: make room, or name another folder in CARGO_TARGET_DIR"
}

# A C compiler for SQLite and PostgreSQL's parser, libclang for its bindings.
need_build_tools() {
    local missing=()
    command -v cc >/dev/null || missing+=(gcc libc6-dev)
    ls /usr/lib/*/libclang*.so* /usr/lib/llvm-*/lib/libclang*.so* >/dev/null 2>&1 || missing+=(libclang-dev)
    [ ${#missing[@]} = 0 ] || install "${missing[@]}"
}

# PostgreSQL's server programs, a pooler for it, the sqlite3 shell, and a validator of XML, for the tests.
need_servers() {
    local missing=()
    { command -v pg_config >/dev/null && [ -x "$(pg_config --bindir)/initdb" ]; } \
        || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing+=(postgresql)
    command -v sqlite3 >/dev/null || missing+=(sqlite3)
    command -v xmllint >/dev/null || missing+=(libxml2-utils)
    { command -v pgbouncer || [ -x /usr/sbin/pgbouncer ]; } >/dev/null || missing+=(pgbouncer)
    [ ${#missing[@]} = 0 ] || install "${missing[@]}"
}

# A compiler for the plugins: rustup's target where its server is reached, Debian's packages elsewhere.
need_wasm_toolchain() {
    if command -v rustup >/dev/null; then
        rustup target list --installed 2>/dev/null | grep -q '^wasm32-unknown-unknown$' && return
        rustup target add wasm32-unknown-unknown >/dev/null 2>&1 && return
    fi
    dpkg -s rustc-web cargo-web rust-web-src >/dev/null 2>&1 && return
    install rustc-web cargo-web rust-web-src
}

# What tests/lint-workflows.sh gets its linters with, and what the workflow's own steps use.
need_workflow_linters() {
    local missing=()
    command -v npm >/dev/null || missing+=(nodejs npm)
    python3 -m pip --version >/dev/null 2>&1 || missing+=(python3-pip)
    command -v curl >/dev/null || missing+=(curl)
    [ ${#missing[@]} = 0 ] || install "${missing[@]}"
}
