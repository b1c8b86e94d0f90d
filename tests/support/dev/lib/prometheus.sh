# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Prometheus and promtool, to test metrics with: the programs of Debian's package, unpacked into var/tools. The package is
# not installed, because it would start a server of its own on the machine.

PROMETHEUS_BIN="$VAR/tools/prometheus/usr/bin"

prometheus_is_there() {
    [[ -x $PROMETHEUS_BIN/promtool && -x $PROMETHEUS_BIN/prometheus ]]
}

prometheus_install() {
    local room="$VAR/tools/prometheus.new"

    prometheus_is_there && return 0
    begin "Prometheus, unpacked from Debian's package"
    rm -rf "$room"
    mkdir -p "$room"
    quietly "$VAR/log/deps.log" prometheus_unpack "$room" ||
        fail "Debian's package prometheus could not be fetched" "check the network; log: $VAR/log/deps.log"
    rm -rf "$VAR/tools/prometheus"
    mv "$room/root" "$VAR/tools/prometheus"
    rm -rf "$room"
    finish
}

# Package lists may be missing or old: then they are fetched, which needs root.
prometheus_unpack() { # DIRECTORY
    (cd "$1" && apt-get download prometheus) ||
        { as_root apt-get update -qq && (cd "$1" && apt-get download prometheus); } || return 1
    dpkg-deb -x "$1"/prometheus_*.deb "$1/root"
}
