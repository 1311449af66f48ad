#!/bin/sh
# A linker that links twice: by lld alone, and by ld.thindist, whose output stays. It keeps the words of each link, the statistics,
# and what differs: the output, the exit code, what was said, the file of --dependency-file.
#
# RECORD_TO is where, RECORD_LLD and RECORD_THINDIST are the two.
# mktemp has said why: a link that cannot be recorded is to end the build.
link=$(mktemp "$RECORD_TO/link-XXXXXXXXXX") || exit 1
for word; do printf '%s\n' "$word"; done > "$link.words"
pwd > "$link.directory"

output=a.out dependencies= before=
for word; do
    case $before in
    -o | --output) output=$word ;;
    esac
    case $word in
    -o?*) output=${word#-o} ;;
    --output=*) output=${word#--output=} ;;
    --dependency-file=*) dependencies=${word#--dependency-file=} ;;
    esac
    before=$word
done

kept() {
    for pair in "output:$output" "dependencies:$dependencies"; do
        if [ -f "${pair#*:}" ]; then cp -p "${pair#*:}" "$link.$1.${pair%%:*}"; fi
    done
}

"$RECORD_LLD" "$@" > "$link.lld.stdout" 2> "$link.lld.stderr"
echo $? > "$link.lld.code"
kept lld
THINDIST_STATS="$link.stats" "$RECORD_THINDIST" "$@" > "$link.thindist.stdout" 2> "$link.thindist.stderr"
code=$?
echo $code > "$link.thindist.code"
kept thindist

for part in output dependencies stdout stderr code; do
    if [ -e "$link.lld.$part" ] || [ -e "$link.thindist.$part" ]; then
        cmp -s "$link.lld.$part" "$link.thindist.$part" || echo "$part" >> "$link.differs"
    fi
done
rm -f "$link.lld.output" "$link.thindist.output"
cat "$link.thindist.stdout"
cat "$link.thindist.stderr" >&2
exit $code
