# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The client libraries of tests/clients, and the server that the bench `compare` compares with, from their registries into
# var/tools, at the versions and checksums of the lock files. Each family has a stamp, made of its lock files: what is there
# and unchanged is not fetched again.

TOOLS="$VAR/tools"
CLIENTS="$ROOT/tests/clients"
COMPARISON="$ROOT/tests/bench/comparison"
export JAVA_HOME=/usr/lib/jvm/default-java

toolchains_install() {
    toolchain_step python "$CLIENTS"/python/requirements*.txt
    toolchain_step librdkafka "$CLIENTS/python/librdkafka.txt" "$CLIENTS/python/requirements.txt"
    toolchain_step node "$CLIENTS/node/package.json" "$CLIENTS/node/package-lock.json"
    toolchain_step java "$CLIENTS/java/pom.xml" "$CLIENTS/java/checksums.sha256" "$CLIENTS"/java/*.java
    toolchain_step rust "$CLIENTS/rust/Cargo.toml" "$CLIENTS/rust/Cargo.lock" "$CLIENTS"/rust/src/*.rs
    toolchain_step go "$CLIENTS/go/go.mod" "$CLIENTS/go/go.sum" "$CLIENTS"/go/*.go "$CLIENTS/go/toolchain"
}

comparison_install() {
    toolchain_step kafka "$COMPARISON/kafka/pom.xml" "$COMPARISON/kafka/checksums.sha256"
}

toolchain_step() { # FAMILY LOCK_FILE…
    local family=$1 stamp

    shift
    stamp=$(cat -- "$@" | sha256sum | cut -d' ' -f1)
    [[ "$(cat "$TOOLS/$family/.stamp" 2>/dev/null || true)" != "$stamp" ]] || return 0
    begin "From its registry: $family"
    rm -rf "${TOOLS:?}/$family"
    mkdir -p "$TOOLS/$family"
    : >"$VAR/log/tools-$family.log"
    quietly "$VAR/log/tools-$family.log" "toolchain_$family" ||
        fail "$family could not be installed" \
            "it comes from the language's own registry: check the network; log: $VAR/log/tools-$family.log"
    printf '%s\n' "$stamp" >"$TOOLS/$family/.stamp"
    finish
}

toolchain_python() {
    python_environment venv requirements.txt && python_environment oldest requirements-oldest.txt
}

python_environment() { # NAME LOCK_FILE
    /usr/bin/python3 -m venv "$TOOLS/python/$1" &&
        "$TOOLS/python/$1/bin/pip" install --require-hashes --no-deps --only-binary :all: -r "$CLIENTS/python/$2"
}

# librdkafka/VERSION/librdkafka.so.1 for programs in C: the shared libraries that the wheels of confluent-kafka carry.
toolchain_librdkafka() {
    local wheels="$TOOLS/librdkafka/wheels" wheel version

    mkdir -p "$wheels" &&
        "$TOOLS/python/venv/bin/pip" download --require-hashes --no-deps --only-binary :all: --python-version 310 \
            -r "$CLIENTS/python/librdkafka.txt" -d "$wheels" || return 1
    for wheel in "$wheels"/*.whl; do
        /usr/bin/python3 -m zipfile -e "$wheel" "$wheels/unpacked" || return 1
    done
    for wheel in "$wheels/unpacked" "$TOOLS"/python/venv/lib/python3*/site-packages; do
        # The library knows its own version best: the wheel's may differ in the last place.
        version=$(librdkafka_version "$wheel"/confluent_kafka.libs/librdkafka-*.so.1) || return 1
        mkdir -p "$TOOLS/librdkafka/$version" &&
            cp "$wheel"/confluent_kafka.libs/librdkafka-*.so.1 "$TOOLS/librdkafka/$version/librdkafka.so.1" || return 1
    done
    rm -rf "$wheels"
}

librdkafka_version() { # LIBRARY
    /usr/bin/python3 -c 'import ctypes, sys
library = ctypes.CDLL(sys.argv[1])
library.rd_kafka_version_str.restype = ctypes.c_char_p
print(library.rd_kafka_version_str().decode())' "$1"
}

toolchain_node() {
    cp "$CLIENTS/node/package.json" "$CLIENTS/node/package-lock.json" "$TOOLS/node/" &&
        npm ci --prefix "$TOOLS/node" --no-audit --no-fund --ignore-scripts --cache "$TOOLS/node/cache" &&
        rm -rf "$TOOLS/node/cache"
}

# java/VERSION/*.jar for each version in the checksums, and the scenario compiled against each.
toolchain_java() {
    local version

    for version in $(sed -n 's,.* \([0-9.]*\)/kafka-clients-.*,\1,p' "$CLIENTS/java/checksums.sha256"); do
        maven_jars "$CLIENTS/java/pom.xml" "$TOOLS/java" "$TOOLS/java/$version" -Dkafka.version="$version" || return 1
    done
    (cd "$TOOLS/java" && sha256sum --strict --check "$CLIENTS/java/checksums.sha256") || return 1
    for version in "$TOOLS"/java/[0-9]*; do
        "$JAVA_HOME/bin/javac" -Xlint:all -Werror -d "$version/classes" -cp "$version/*" "$CLIENTS"/java/*.java || return 1
    done
    rm -rf "$TOOLS/java/repository"
}

toolchain_kafka() {
    maven_jars "$COMPARISON/kafka/pom.xml" "$TOOLS/kafka" "$TOOLS/kafka/jars" -DincludeScope=runtime &&
        (cd "$TOOLS/kafka/jars" && sha256sum --strict --check "$COMPARISON/kafka/checksums.sha256") &&
        rm -rf "$TOOLS/kafka/repository"
}

# What a pom depends on; the repository stays beside it for the next pom of the family.
maven_jars() { # POM FAMILY_DIRECTORY JAR_DIRECTORY OPTION…
    mvn --batch-mode -f "$1" -Dmaven.repo.local="$2/repository" dependency:copy-dependencies -DoutputDirectory="$3" "${@:4}"
}

# Builds the librdkafka that the crate carries, too.
toolchain_rust() {
    RUSTC=/usr/bin/rustc CARGO_HOME="$TOOLS/rust/home" CARGO_TARGET_DIR="$TOOLS/rust/target" \
        /usr/bin/cargo build --locked --manifest-path "$CLIENTS/rust/Cargo.toml" &&
        cp "$TOOLS/rust/target/debug/scenario" "$TOOLS/rust/scenario" &&
        rm -rf "$TOOLS/rust/home" "$TOOLS/rust/target"
}

# Debian's Go is too old for today's franz-go, but it can fetch a newer one as a module and check its sum against
# the public checksum database; version and sum are pinned in go/toolchain too.
toolchain_go() {
    local workspace="$TOOLS/go/workspace" module version sum

    export GOPATH="$TOOLS/go/path" GOCACHE="$TOOLS/go/cache" GOFLAGS=-modcacherw GOTOOLCHAIN=local
    export GOPROXY=https://proxy.golang.org GOSUMDB=sum.golang.org
    read -r version sum <"$CLIENTS/go/toolchain" || return 1
    mkdir -p "$workspace" || return 1
    printf 'module workspace\n' >"$workspace/go.mod" || return 1
    module=$(cd "$workspace" && /usr/lib/go/bin/go mod download -json \
        "golang.org/toolchain@v0.0.1-go$version.linux-$(dpkg --print-architecture)") || return 1
    printf '%s\n' "$module"
    [[ "$(jq -r .Sum <<<"$module")" == "$sum" ]] || {
        printf 'checksum of the Go toolchain differs from the pinned %s\n' "$sum"
        return 1
    }
    local go_root
    go_root=$(jq -r .Dir <<<"$module") || return 1
    chmod -R u+w,a+x "$go_root/bin" "$go_root/pkg/tool" || return 1
    PATH="$go_root/bin:$PATH" go_programs || return 1
    rm -rf "$TOOLS/go/path" "$TOOLS/go/cache" "$workspace"
}

# The scenario, and the tests of franz-go's client as a program, which reads its sources where it runs.
go_programs() (
    cd "$CLIENTS/go" && go build -mod=readonly -trimpath -o "$TOOLS/go/scenario" . &&
        cp -r --no-preserve=mode "$(go list -f '{{.Dir}}' github.com/twmb/franz-go/pkg/kgo)" "$TOOLS/go/kgo" &&
        go test -mod=readonly -trimpath -c -o "$TOOLS/go/kgo/kgo.test" github.com/twmb/franz-go/pkg/kgo
)
