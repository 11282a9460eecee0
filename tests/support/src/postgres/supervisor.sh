# Starts a cluster in folder $1 with the programs of $2, says "ready", stops and starts it when it is told to, and removes
# everything when its standard input ends. The kernel closes that pipe when the test process goes, however it goes; a death signal would not do, because it
# is tied to the thread that started us, and tests come and go by thread.
exec 2>&1
trap '' HUP INT
umask 077
folder=$1 bin=$2
cleanup() { cd / && rm -rf "$folder"; }
fail() { cat "$folder/log"; cleanup; exit 1; }
cd "$folder" || exit 1
"$bin/initdb" -D data -U postgres -A trust -E UTF8 --locale=C --no-sync >log </dev/null || fail
cat settings.conf >>data/postgresql.conf
cat hba.conf >data/pg_hba.conf
cp files/* data/ 2>/dev/null
"$bin/pg_ctl" -D data -l log -s -w -t 60 start >/dev/null </dev/null || fail
echo ready
exec 2>/dev/null
stop() { "$bin/pg_ctl" -D data -s -m immediate -w stop >/dev/null </dev/null; }
# What is asked of the server while it is there: one word a line, answered by one.
while read -r order; do
    case $order in
        stop) stop && echo stopped || echo "did not stop" ;;
        start) "$bin/pg_ctl" -D data -l log -s -w -t 60 start >/dev/null </dev/null && echo started || echo "did not start" ;;
    esac
done
stop
cleanup
