#!/usr/bin/env bash
# demo.sh SYSCT: two guests from creation to destruction, by the command line alone, in
# directories of their own. Only the images' cache stays, so the network is needed on
# the first run only. Nothing is left behind, whether it ends well or not.
set -euo pipefail

sysct=$(realpath "${1:?usage: demo.sh SYSCT}")
home=${SYSCT_DEMO_DIR:-/var/tmp/sysct-demo}
guests=(web tiny)
steps=() times=()
if [ -t 1 ]; then bold=$'\e[1m' plain=$'\e[0m'; else bold='' plain=''; fi

[ "$(id -u)" = 0 ] || { echo "make demo: only root can run guests" >&2; exit 1; }
mkdir -p -m 0700 "$home"
exec 9>"$home/demo.lock"
flock --nonblock 9 || { echo "make demo: another one is running in $home" >&2; exit 1; }

export SYSCT_STATE_DIR=$home/state SYSCT_RUN_DIR=$home/run SYSCT_CACHE_DIR=$home/cache SYSCT_LOG_DIR=$home/log
export SYSCT_NETWORK=none # it is to work on any host, and leave nothing there

# sysct without the demo's lock: what it starts lives on, and must not hold it.
s() { "$sysct" "$@" 9>&-; }

now() { date +%s%N; }

# step TITLE COMMAND...: shows what is done, does it, and notes how long it took.
step() {
    local title=$1 begin took
    shift
    printf '\n%s== %s%s\n' "$bold" "$title" "$plain"
    failing=$title
    begin=$(now)
    "$@" </dev/null
    took=$((($(now) - begin) / 1000000))
    steps+=("$title")
    times+=("$(printf '%d.%03d' $((took / 1000)) $((took % 1000)))")
}

# run VERB...: a line as a user would type it, then what it prints.
run() {
    printf '# sysct %s\n' "$*"
    s "$@"
}

remove_guests() {
    local g failed=0
    for g in "${guests[@]}"; do
        [ ! -e "$SYSCT_STATE_DIR/$g" ] || s destroy --force "$g" || failed=1
    done
    return $failed
}

# finish runs at every end. It must work after any step, and must not hide its failure.
finish() {
    local status=$? i
    trap - EXIT INT TERM HUP
    if [ $status != 0 ]; then
        printf '\n%sfailed: %s%s\n' "$bold" "${failing:-preparation}" "$plain" >&2
        for g in "${guests[@]}"; do
            s console --log -n 15 "$g" 2>/dev/null | sed "s/^/$g console: /" >&2 || true
            s logs -n 15 "$g" 2>/dev/null | sed "s/^/$g monitor: /" >&2 || true
        done
    fi
    # The cache's lib/ has the unpacked helper of each version that ran.
    if remove_guests && rmdir "$SYSCT_STATE_DIR"; then
        rm -rf "$SYSCT_RUN_DIR" "$SYSCT_LOG_DIR" "$SYSCT_CACHE_DIR/lib"
    else
        status=1
    fi
    printf '\n%s%-44s %9s%s\n' "$bold" step seconds "$plain"
    for i in "${!steps[@]}"; do printf '%-44s %9s\n' "${steps[i]}" "${times[i]}"; done
    if [ $status = 0 ]; then
        echo "all done: nothing is left but the images in $SYSCT_CACHE_DIR"
    else
        echo "the demo failed at: ${failing:-preparation}" >&2
    fi
    exit $status
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

freeze_and_thaw() {
    run freeze web
    run ls
    run thaw web
    run ls
}

look_inside() {
    run exec web -- systemctl is-system-running --wait
    run exec web -- grep PRETTY_NAME /etc/os-release
    run exec web -- uptime
    run exec tiny -- uname -a
    run exec tiny -- ps
}

failing=leftovers
remove_guests # of a demo that was killed

mkdir -p -m 0700 "$SYSCT_STATE_DIR"
step "version" run version
step "create web (Debian)" run create web -t debian -- -r "${SYSCT_DEMO_RELEASE:-bookworm}"
step "create tiny (busybox)" run create tiny -t busybox
step "start web" run start web
step "start tiny" run start tiny
step "wait until web is ready" run wait web ready -t 120
step "wait until tiny is ready" run wait tiny ready -t 60
step "list" run ls -f
step "run commands inside" look_inside
step "freeze and thaw web" freeze_and_thaw
step "the last lines of web's console" run console --log -n 15 web
step "the last lines of tiny's console" run console --log -n 15 tiny
step "stop web" run stop web
step "stop tiny" run stop tiny
step "destroy both" run destroy web tiny
