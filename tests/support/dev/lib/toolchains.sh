# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The client libraries of tests/clients, from their registries into var/tools, at the versions and checksums of the
# lock files. Each family has a stamp, made of its lock files: what is there and unchanged is not fetched again.

TOOLS="$VAR/tools"
CLIENTS="$ROOT/tests/clients"
GO_VERSION=1.24.9
GO_TOOLCHAIN_SUM='h1:XCaHFxbYbAFzirf0FlQ6XUJ3WM+yR7FdDHZvREoPVDI='
export JAVA_HOME=/usr/lib/jvm/default-java

toolchains_install() {
    toolchain_step python "$CLIENTS/python/requirements.txt"
    toolchain_step node "$CLIENTS/node/package.json" "$CLIENTS/node/package-lock.json"
    toolchain_step java "$CLIENTS/java/pom.xml" "$CLIENTS/java/checksums.sha256"
    toolchain_step go "$CLIENTS/go/go.mod" "$CLIENTS/go/go.sum" "$CLIENTS/go/main.go" "$DEV/lib/toolchains.sh"
}

toolchain_step() { # FAMILY LOCK_FILE…
    local family=$1 stamp

    shift
    stamp=$(cat -- "$@" | sha256sum | cut -d' ' -f1)
    [[ "$(cat "$TOOLS/$family/.stamp" 2>/dev/null || true)" != "$stamp" ]] || return 0
    begin "Client libraries: $family"
    rm -rf "${TOOLS:?}/$family"
    mkdir -p "$TOOLS/$family"
    : >"$VAR/log/tools-$family.log"
    quietly "$VAR/log/tools-$family.log" "toolchain_$family" ||
        fail "the libraries of $family could not be installed" \
            "they come from the language's own registry: check the network; log: $VAR/log/tools-$family.log"
    printf '%s\n' "$stamp" >"$TOOLS/$family/.stamp"
    finish
}

toolchain_python() {
    /usr/bin/python3 -m venv "$TOOLS/python/venv" &&
        "$TOOLS/python/venv/bin/pip" install --require-hashes --no-deps --only-binary :all: \
            -r "$CLIENTS/python/requirements.txt"
}

toolchain_node() {
    cp "$CLIENTS/node/package.json" "$CLIENTS/node/package-lock.json" "$TOOLS/node/" &&
        npm ci --prefix "$TOOLS/node" --no-audit --no-fund --ignore-scripts --cache "$TOOLS/node/cache" &&
        rm -rf "$TOOLS/node/cache"
}

toolchain_java() {
    mvn --batch-mode -f "$CLIENTS/java/pom.xml" -Dmaven.repo.local="$TOOLS/java/repository" \
        dependency:copy-dependencies -DoutputDirectory="$TOOLS/java/lib" &&
        (cd "$TOOLS/java/lib" && sha256sum --strict --check "$CLIENTS/java/checksums.sha256") &&
        rm -rf "$TOOLS/java/repository"
}

# Debian's Go is too old for today's franz-go, but it can fetch a newer one as a module and check its sum against
# the public checksum database; the sum is pinned here too.
toolchain_go() {
    local workspace="$TOOLS/go/workspace" module

    export GOPATH="$TOOLS/go/path" GOCACHE="$TOOLS/go/cache" GOFLAGS=-modcacherw GOTOOLCHAIN=local
    export GOPROXY=https://proxy.golang.org GOSUMDB=sum.golang.org
    mkdir -p "$workspace" || return 1
    printf 'module workspace\n' >"$workspace/go.mod" || return 1
    module=$(cd "$workspace" && /usr/lib/go/bin/go mod download -json \
        "golang.org/toolchain@v0.0.1-go$GO_VERSION.linux-$(dpkg --print-architecture)") || return 1
    printf '%s\n' "$module"
    [[ "$(jq -r .Sum <<<"$module")" == "$GO_TOOLCHAIN_SUM" ]] || {
        printf 'checksum of the Go toolchain differs from the pinned %s\n' "$GO_TOOLCHAIN_SUM"
        return 1
    }
    local go_root
    go_root=$(jq -r .Dir <<<"$module") || return 1
    chmod -R u+w,a+x "$go_root/bin" "$go_root/pkg/tool" || return 1
    (cd "$CLIENTS/go" && PATH="$go_root/bin:$PATH" go build -mod=readonly -trimpath -o "$TOOLS/go/smoke" .) || return 1
    rm -rf "$TOOLS/go/path" "$TOOLS/go/cache" "$workspace"
}
