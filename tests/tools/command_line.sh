#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Runs the command line as users do, and checks what it leaves, says and answers.
#
# usage: command_line.sh LOCKSTEP
set -uo pipefail

# What was ignored when a shell started, as SIGHUP is under nohup, it cannot take back.
if [[ -z ${signals_are_default:-} ]]; then
  signals_are_default=yes exec env --default-signal=HUP,INT,PIPE,TERM "$0" "$@"
fi

lockstep=$(realpath "$1")
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
. "$here/../support/check.sh"
cd "$work" || exit 1

# Small pictures, as fast as the encoder takes them.
small=(--sensor-width 320 --sensor-height 240)
simulated=(--sensors "sim?realtime=false" "${small[@]}")

# ends_with STATUS COMMAND...: its output stays in `output`.
ends_with() {
  local wanted=$1 status=0
  shift
  "$@" >output 2>&1 || status=$?
  cat output
  [[ $status == "$wanted" ]] || {
    echo "exit status $status, wanted $wanted: $*"
    return 1
  }
}

# says TEXT: whether the last output holds it.
says() { grep -qF -- "$1" output || { echo "does not say: $1"; return 1; }; }

# One line that no terminal obeys.
shows_no_control_characters() { ! grep -qP '[\x00-\x09\x0b-\x1f\x7f]' output && ! grep -q '^FAKE' output; }

wrong_usage_is_status_2() {
  ends_with 2 "$lockstep" && ends_with 2 "$lockstep" fly && ends_with 2 "$lockstep" record &&
    ends_with 2 "$lockstep" record -o x.mkv -n 0 && ends_with 2 "$lockstep" record -o x.mkv -n 65 &&
    ends_with 2 "$lockstep" record -o x.mkv --framerate 30/0 && ends_with 2 "$lockstep" verify
}

help_and_version() {
  ends_with 0 "$lockstep" --version && says "lockstep 0." &&
    ends_with 0 "$lockstep" record --help && says "Examples:"
}

sensors_are_listed() {
  ends_with 0 "$lockstep" sensors && says "sim" && says "memfd" &&
    ends_with 0 "$lockstep" sensors "sim?drift-ppm=20" --json &&
    python3 -c '
import json, sys
sensor, = json.load(open("output"))["sensors"]
formats = {offer["format"] for offer in sensor["formats"]}
sys.exit(not (sensor["name"] == "sim?drift-ppm=20" and {"NV12", "GRAY8"} <= formats))'
}

unknown_sensors_are_told() {
  ends_with 1 "$lockstep" sensors "sim?no-such-option=1" && says "no-such-option" &&
    ends_with 1 "$lockstep" record -o x.mkv --sensors "camera:1" && says '"camera"' && [[ ! -e x.mkv ]]
}

recording_is_whole() {
  ends_with 0 "$lockstep" record -o whole.mkv "${simulated[@]}" -n 4 --batches 40 && says "40 pictures" &&
    ends_with 0 "$lockstep" verify whole.mkv --rows 2 --columns 2 --sensors 4 --expect-batches 40
}

grid_is_found() { ends_with 0 "$lockstep" verify whole.mkv && says "2 x 2 tiles, 4 sensors"; }

duration_is_exact() {
  ends_with 0 "$lockstep" record -o exact.mkv "${simulated[@]}" -n 1 --framerate 25 --duration 2 &&
    ends_with 0 "$lockstep" verify exact.mkv --expect-batches 50
}

wrong_content_is_status_1() {
  ends_with 1 "$lockstep" verify whole.mkv --rows 2 --columns 2 --sensors 3 &&
    says "in tiles of no sensor" &&
    ends_with 1 "$lockstep" verify whole.mkv --expect-batches 41 && says "40 pictures instead of 41"
}

missing_frames_are_found() {
  ends_with 0 "$lockstep" record -o gaps.mkv --sensors "sim?realtime=false&drop=0.1" -n 2 \
    "${small[@]}" --batches 60 &&
    ends_with 1 "$lockstep" verify gaps.mkv && says "frames missing" &&
    ends_with 0 "$lockstep" verify gaps.mkv --allow-missing
}

picture_is_written() {
  ends_with 0 "$lockstep" verify whole.mkv --picture picture.png --picture-number 7 &&
    [[ $(head -c 4 picture.png | tail -c 3) == PNG ]] &&
    ends_with 2 "$lockstep" verify whole.mkv --picture none.png --picture-number 40 &&
    says "it has 40" && [[ ! -e none.png ]]
}

# With a registry of its own: this program may lack the sanitizers that our plugin is built with.
pattern_without_codes() {
  env -u GST_PLUGIN_PATH GST_REGISTRY="$work/registry.bin" gst-launch-1.0 -q \
    videotestsrc num-buffers=5 ! matroskamux ! filesink location=pattern.mkv
}

other_files_are_no_recordings() {
  echo "not a video" >text.mkv
  : >empty.mkv
  ends_with 2 "$lockstep" verify missing.mkv && says "No such file" &&
    ends_with 2 "$lockstep" verify text.mkv && says "wanted a video" &&
    ends_with 2 "$lockstep" verify empty.mkv && ends_with 2 "$lockstep" verify "$work" &&
    says "wanted a file" && mkfifo fifo.mkv && ends_with 2 timeout 20 "$lockstep" verify fifo.mkv &&
    says "wanted a file" && pattern_without_codes && ends_with 2 "$lockstep" verify pattern.mkv &&
    says "painted codes"
}

# A copy that broke off still tells how far it goes.
cut_recording_plays_up_to_the_cut() {
  local size
  size=$(stat -c %s whole.mkv) || return 1
  head -c $((size / 2)) whole.mkv >cut.mkv
  ends_with 1 "$lockstep" verify cut.mkv --expect-batches 40 && says "pictures instead of 40"
}

output_is_checked_first() {
  ends_with 2 "$lockstep" record -o nowhere/x.mkv && says "nowhere/x.mkv: No such file" &&
    mkfifo pipe.mkv && ends_with 2 "$lockstep" record -o pipe.mkv && says "not a file" &&
    ends_with 2 "$lockstep" record -o x.mp4 && says ".mkv" &&
    cp whole.mkv kept.mkv && ends_with 2 "$lockstep" record -o kept.mkv && says "--overwrite" &&
    cmp whole.mkv kept.mkv
}

# starts_recording FILE [COMMAND...]: until some pictures are in the file. Sets `pid`.
starts_recording() {
  local file=$1
  shift
  "$@" "$lockstep" record -o "$file" --sensors sim -n 2 "${small[@]}" >output 2>&1 &
  pid=$!
  for _ in {1..600}; do
    [[ $(stat -c %s "$file" 2>/dev/null || echo 0) -gt 20000 ]] && break
    sleep 0.1
  done
}

# ends_recording STATUS: the one that was started. What does not end is killed, so that the other checks run.
ends_recording() {
  local status=0
  for _ in {1..1200}; do
    kill -s 0 $pid 2>/dev/null || break
    sleep 0.1
  done
  kill -s KILL $pid 2>/dev/null && echo "does not end"
  wait $pid || status=$?
  cat output
  [[ $status == "$1" ]]
}

interrupted() {
  starts_recording "stopped-$1.mkv"
  kill -s "$1" $pid
  ends_recording 0 && says "finishing the file" &&
    ends_with 0 "$lockstep" verify "stopped-$1.mkv" --allow-missing
}

# The shell passes a hangup on, besides the terminal. Both are held back until the process goes on.
hung_up_twice() {
  starts_recording hung-up.mkv
  kill -s STOP $pid && kill -s HUP $pid && kill -s CONT $pid && kill -s HUP $pid
  ends_recording 0 && ends_with 0 "$lockstep" verify hung-up.mkv --allow-missing
}

nohup_is_obeyed() {
  starts_recording nohup.mkv nohup
  kill -s HUP $pid
  sleep 0.5
  kill -s 0 $pid && kill -s INT $pid
  ends_recording 0 && says "once more to abort"
}

# Two signals at once: of one kind they would count as one.
aborted() {
  starts_recording aborted.mkv
  kill -s STOP $pid && kill -s INT $pid && kill -s TERM $pid && kill -s CONT $pid
  ends_recording 130 && says "pictures" || return 1
  "$lockstep" record -o nothing.mkv --sensors "sim?unplug-at=0" "${small[@]}" >output 2>&1 &
  pid=$!
  for _ in {1..600}; do
    grep -q "is lost" output && break
    sleep 0.1
  done
  kill -s STOP $pid && kill -s INT $pid && kill -s TERM $pid && kill -s CONT $pid
  ends_recording 130 && says "no picture was recorded" && [[ ! -e nothing.mkv ]]
}

# What is lost and comes back is reported to a pipe that nobody reads.
recording_needs_no_reader() {
  { "$lockstep" record -o unread.mkv --sensors "sim?realtime=false&unplug-at=300&unplug-for=200" \
    -n 2 "${small[@]}" --batches 40 2>&1
    echo $? >status; } | true
  [[ $(cat status) == 0 ]] && ends_with 0 "$lockstep" verify unread.mkv --allow-missing
}

removed_file_is_a_failure() {
  starts_recording removed.mkv
  rm removed.mkv
  ends_recording 1 && says "removed.mkv: the file was removed or replaced" && ! grep -q "captured" output &&
    [[ ! -e removed.mkv ]] || return 1
  starts_recording replaced.mkv
  echo "mine" >mine && mv mine replaced.mkv
  ends_recording 1 && says "removed or replaced" && [[ $(cat replaced.mkv) == mine ]]
}

duration_ends_without_cameras() {
  local sensors
  for sensors in "sim?unplug-at=400" "sim?realtime=false&unplug-at=400"; do
    ends_with 0 timeout 60 "$lockstep" record -o gone.mkv --overwrite --sensors "$sensors" -n 2 \
      "${small[@]}" --duration 1 && says "is lost" &&
      ends_with 0 timeout 60 "$lockstep" light --sensors "$sensors" -n 2 "${small[@]}" --duration 1 &&
      says "is lost" || return 1
  done
  ends_with 1 timeout 60 "$lockstep" record -o none.mkv --sensors "sim?unplug-at=0" "${small[@]}" \
    --duration 1 && says "no picture was recorded"
}

progress_fits_the_terminal() {
  ends_with 0 "$here/in_terminal.py" 24 xterm "$lockstep" record -o narrow.mkv "${simulated[@]}" \
    --batches 200 &&
    python3 -c '
import sys
lines = open("output", "rb").read().split(b"\r\x1b[K")[1:-1]
sys.exit(not (lines and all(0 < len(line) < 24 for line in lines if line)))' &&
    ends_with 0 "$here/in_terminal.py" 24 dumb "$lockstep" record -o dumb.mkv "${simulated[@]}" \
      --batches 200 && ! grep -q $'\033' output
}

full_output_is_a_failure() { ends_with 1 bash -c '"$1" sensors >/dev/full' - "$lockstep" && says "No space left"; }

full_disk_is_told() {
  ends_with 1 unshare --mount bash -c '
    mount -t tmpfs -o size=200k lockstep-test "$2" &&
    "$1" record -o "$2/full.mkv" --sensors "sim?realtime=false" --batches 2000 \
      --sensor-width 320 --sensor-height 240
    status=$?
    cp "$2/full.mkv" .
    exit $status' - "$lockstep" "$work/small" && says "No space left" && says "batches" &&
    says "$work/small/full.mkv" || return 1
  # As many pictures as it says are in it.
  local pictures
  pictures=$(grep -oP 'full.mkv: \K[0-9]+(?= pictures)' output) &&
    ends_with 0 "$lockstep" verify full.mkv --allow-missing --expect-batches "$pictures"
}

disk_without_room_for_a_picture() {
  ends_with 1 unshare --mount bash -c '
    mount -t tmpfs -o size=4k lockstep-test "$2" &&
    "$1" record -o "$2/full.mkv" --sensors "sim?realtime=false" --batches 100 \
      --sensor-width 320 --sensor-height 240
    status=$?
    ls "$2"
    exit $status' - "$lockstep" "$work/small" && says "No space left" && ! grep -q "pictures" output &&
    ! grep -q "^full.mkv" output
}

# No number reaches what cannot take it.
bad_numbers_are_status_2() {
  local bad
  for bad in "--framerate -30" "--framerate 29.97" "--framerate 4294967326" "--framerate 30/-1" \
    "--tolerance nan" "--tolerance -1" "--max-wait nan" "--max-wait inf" "--duration inf" \
    "--max-exposure nan" "--bitrate 0" "--bitrate -1" "--num-sensors -1" "--width -2" \
    "--num-sensors -18446744073709551614" "--batches -18446744073709551614" "--batches 1x" \
    "--memory nosuch" "--memory cuda:256" "--memory cuda:-1"; do
    # shellcheck disable=SC2086  # An option and its value.
    ends_with 2 "$lockstep" record -o bad.mkv $bad && says "${bad%% *}" && [[ ! -e bad.mkv ]] || return 1
  done
  for bad in "--tolerance-us 9223372036854775807" "--tolerance-us -1" "--expect-batches -1" \
    "--expect-batches 99999999999999999999" "--picture bad.png --picture-number -1"; do
    # shellcheck disable=SC2086
    ends_with 2 "$lockstep" verify whole.mkv $bad && says "not in range" || return 1
  done
  ends_with 2 "$lockstep" record -o bad.mkv "${simulated[@]}" --encoder x265enc --bitrate 1000000 &&
    says "1000000 kbit/s" && [[ ! -e bad.mkv ]]
}

# A number of a GPU that this machine lacks is no wrong usage where the build knows GPUs.
memory_of_another_gpu_is_taken() {
  "$lockstep" record -o gpu.mkv "${simulated[@]}" --memory cuda:255 >output 2>&1
  cat output
  grep -qE "GPU|CUDA|driver" output && [[ ! -e gpu.mkv ]]
}

formats_that_no_sensor_has_are_reported() {
  ends_with 1 "$lockstep" record -o none.mkv --sensors sim --sensor-width 7777 --sensor-height 7777 &&
    says "7777" && says "they all offer" && [[ ! -e none.mkv ]] &&
    ends_with 1 "$lockstep" record -o none.mkv --sensors sim --framerate 2147483647 &&
    says "they all offer" && ends_with 1 "$lockstep" light --framerate 2147483647 && says "they all offer"
}

names_reach_the_terminal_escaped() {
  local bad=$'x\033[31m\nFAKE'
  ends_with 1 "$lockstep" sensors "v4l2:/dev/x%1b[31m%0aFAKE" && says "%1B[31m%0AFAKE" &&
    shows_no_control_characters || return 1
  ends_with 1 "$lockstep" record -o x.mkv --sensors "v4l2:/dev/x%1b[31m%0aFAKE%ff" &&
    says "%1B[31m%0AFAKE%FF" && shows_no_control_characters || return 1
  ends_with 1 "$lockstep" light --sensors "v4l2:/dev/x%1b[31m%0aFAKE%ff" && shows_no_control_characters || return 1
  ends_with 2 "$lockstep" verify whole.mkv "$bad" && says "%1B[31m%0AFAKE" && shows_no_control_characters || return 1
  ends_with 2 "$lockstep" record -o "$bad.mp4" && says "%1B[31m%0AFAKE" && shows_no_control_characters || return 1
  ends_with 2 "$lockstep" verify "$bad" && says "%1B[31m%0AFAKE" && shows_no_control_characters || return 1
  ends_with 0 "$lockstep" record -o "$bad.mkv" "${simulated[@]}" --batches 5 &&
    says "%1B[31m%0AFAKE.mkv: 5 pictures" && shows_no_control_characters
}

# lines_of FILE: batches in a light log.
lines_of() { echo $(($(wc -l <"$1") - 1)); }

light_is_shown_in_a_pipe() {
  local status
  "$lockstep" light "${simulated[@]}" -n 3 --batches 40 2>errors | cat >output
  status=${PIPESTATUS[0]}
  cat output errors
  [[ $status == 0 && ! -s errors ]] && says "lockstep light   batch 39" && says "mode shared" &&
    says "histogram" && [[ $(grep -cE '^ [0-2] ' output) == 3 ]] && ! grep -q $'\033' output
}

light_is_logged() {
  ends_with 0 "$lockstep" light "${simulated[@]}" -n 2 --batches 25 --light-log light.csv &&
    says "light.csv: 25 batches" && [[ $(lines_of light.csv) == 25 ]] &&
    ends_with 0 "$lockstep" record -o lit.mkv "${simulated[@]}" -n 2 --batches 30 --light-mode shared \
      --light-log lit.csv && [[ $(lines_of lit.csv) == 30 ]] &&
    cmp <(head -n 1 light.csv) <(head -n 1 lit.csv) &&
    python3 -c '
import csv, sys
for name in "light.csv", "lit.csv":
    rows = list(csv.DictReader(open(name)))
    assert [int(row["batch"]) for row in rows] == list(range(len(rows))), name
    assert all(row["s1_state"] == "fresh" for row in rows), name
    assert all(float(row["s1_exposure_us"]) > 0 and float(row["s1_luma"]) > 0 for row in rows), name
    assert int(rows[-1]["s0_revision"]) > 0 and rows[-1]["uniform"] == "1", (name, rows[-1])'
}

settings_are_set() {
  ends_with 0 "$lockstep" light "${simulated[@]}" -n 2 --batches 20 --exposure 5 --analogue-gain 2 \
    --blue-gain 1.5 && says "mode manual" && [[ $(grep -cE ' 5.000ms +2.00 ' output) == 2 ]] &&
    ends_with 0 "$lockstep" record -o set.mkv "${simulated[@]}" -n 2 --batches 20 --exposure 5 \
      --light-log set.csv && [[ $(tail -n 1 set.csv) == *,5000.000,* ]]
}

# What a camera does where it can run is tried on a machine with a GPU (tests/gpu).
cameras_tell_what_they_want() {
  ends_with 2 "$lockstep" camera && says "--eglstream" &&
    ends_with 2 "$lockstep" camera --eglstream x.sock --format FOO && says "P010_10LE" &&
    ends_with 2 "$lockstep" camera --eglstream x.sock --index 64 && says "--index" && [[ ! -e x.sock ]]
}

bad_light_is_status_2() {
  local bad
  for bad in "--exposure -1" "--exposure 0" "--exposure nan" "--exposure inf" "--exposure ten" \
    "--analogue-gain -2" "--red-gain NaN" "--mode foo" "--mode application" "--target 2" \
    "--max-gain 0.5" "--antiflicker 55" "--leader 64" "--batches 0" "--duration nan"; do
    # shellcheck disable=SC2086  # An option and its value.
    ends_with 2 "$lockstep" light $bad && says "${bad%% *}" || return 1
  done
  ends_with 2 "$lockstep" record -o bad.mkv --exposure nan && says "--exposure" &&
    ends_with 2 "$lockstep" record -o bad.mkv --light-mode foo && says "--light-mode" && [[ ! -e bad.mkv ]]
}

light_beyond_the_sensors_is_told() {
  ends_with 2 "$lockstep" light "${simulated[@]}" -n 2 --analogue-gain 1000 --batches 5 && says "analogue-gain" &&
    ends_with 2 "$lockstep" light "${simulated[@]}" -n 2 --mode follow --leader 2 --batches 5 && says "lead" &&
    ends_with 2 "$lockstep" light --sensors "sim?no-such-option=1" && says "no-such-option" &&
    ends_with 1 "$lockstep" light --sensors "camera:1" && says '"camera"'
}

light_log_is_checked_first() {
  echo "mine" >kept.csv
  ends_with 2 "$lockstep" light --light-log nowhere/x.csv && says "nowhere/x.csv" && says "No such file" &&
    ends_with 2 "$lockstep" light --light-log kept.csv && says "--overwrite" && [[ $(cat kept.csv) == mine ]] &&
    ends_with 2 "$lockstep" light --light-log "$work" && says "folder" &&
    ends_with 2 "$lockstep" record -o log.mkv --light-log nowhere/x.csv && says "nowhere/x.csv" &&
    ends_with 2 "$lockstep" record -o log.mkv --light-log log.mkv && says "the recording goes there" &&
    [[ ! -e log.mkv ]] &&
    ends_with 0 "$lockstep" light "${simulated[@]}" --batches 5 --light-log kept.csv --overwrite &&
    [[ $(lines_of kept.csv) == 5 ]]
}

log_without_a_batch_is_no_file() {
  ends_with 1 "$lockstep" light --sensors "camera:1" --light-log none.csv && [[ ! -e none.csv ]] &&
    ends_with 1 "$lockstep" record -o none.mkv --sensors "camera:1" --light-log none.csv && [[ ! -e none.csv ]]
}

# The device that is always full does for a disk.
full_log_is_told_and_the_stream_goes_on() {
  ends_with 1 "$lockstep" light "${simulated[@]}" -n 2 --batches 400 --light-log /dev/full &&
    says "write the light log /dev/full" && says "No space left" && says "batch 399" &&
    ends_with 1 "$lockstep" record -o fulllog.mkv "${simulated[@]}" -n 2 --batches 40 --light-log /dev/full &&
    says "write the light log /dev/full" && says "40 pictures" && [[ $(grep -c "No space left" output) == 1 ]] &&
    ends_with 0 "$lockstep" verify fulllog.mkv --expect-batches 40
}

full_disk_ends_the_log_with_a_whole_line() {
  ends_with 1 unshare --mount bash -c '
    mount -t tmpfs -o size=100k lockstep-test "$2" &&
    "$1" light --light-log "$2/full.csv" --sensors "sim?realtime=false" -n 4 --batches 1000 \
      --sensor-width 320 --sensor-height 240
    status=$?
    cp "$2/full.csv" .
    exit $status' - "$lockstep" "$work/small" && says "No space left" && says "batch 999" &&
    [[ $(lines_of full.csv) -gt 10 && $(tail -c 1 full.csv) == "" ]] &&
    [[ $(tail -n 1 full.csv | tr -cd , | wc -c) == $(head -n 1 full.csv | tr -cd , | wc -c) ]]
}

# interrupted_light SIGNAL: shows light until there are some lines, then sends the signal.
interrupted_light() {
  local pid status=0
  : >output  # What the command before it printed must not count.
  "$lockstep" light --sensors sim -n 2 "${small[@]}" --light-log "light-$1.csv" >output 2>&1 &
  pid=$!
  for _ in {1..600}; do
    grep -q "^batch" output && break
    sleep 0.1
  done
  kill -s "$1" $pid
  wait $pid || status=$?
  cat output
  [[ $status == 0 ]] && says "histogram" && [[ $(lines_of "light-$1.csv") -gt 0 ]]
}

light_has_examples() { ends_with 0 "$lockstep" light --help && says "Examples:" && says "--antiflicker 50"; }

check "wrong usage ends with status 2" wrong_usage_is_status_2
check "help and version are printed" help_and_version
check "sensors are listed, for people and programs" sensors_are_listed
check "unknown sensors and options are told" unknown_sensors_are_told
check "a recording of four sensors is whole" recording_is_whole
check "the grid of a recording is found out" grid_is_found
check "a duration is kept to the batch" duration_is_exact
check "wrong content ends with status 1" wrong_content_is_status_1
check "missing frames are found, and may be allowed" missing_frames_are_found
check "a picture of a recording is written" picture_is_written
check "other files are no recordings" other_files_are_no_recordings
check "a recording that was cut off plays up to the cut" cut_recording_plays_up_to_the_cut
check "the output is checked before anything starts" output_is_checked_first
check "SIGINT finishes the file" interrupted INT
check "SIGTERM finishes the file" interrupted TERM
check "SIGHUP finishes the file" interrupted HUP
check "a second hangup aborts nothing" hung_up_twice
check "nohup is obeyed" nohup_is_obeyed
check "two interrupts abort, with pictures and without" aborted
check "a recording needs nobody who reads what it prints" recording_needs_no_reader
check "a file that was removed or replaced is a failure" removed_file_is_a_failure
check "a duration ends when all cameras are gone" duration_ends_without_cameras
check "progress fits the terminal" progress_fits_the_terminal
check "numbers that are none end with status 2" bad_numbers_are_status_2
check "memory of another GPU is taken" memory_of_another_gpu_is_taken
check "formats that no sensor has are reported" formats_that_no_sensor_has_are_reported
check "names reach the terminal escaped" names_reach_the_terminal_escaped
check "light has examples" light_has_examples
check "light is shown in a pipe, without control sequences" light_is_shown_in_a_pipe
check "light is logged, a line for each batch" light_is_logged
check "settings are set" settings_are_set
check "cameras tell what they want" cameras_tell_what_they_want
check "light that is none ends with status 2" bad_light_is_status_2
check "light beyond what the sensors can do is told" light_beyond_the_sensors_is_told
check "the light log is checked before anything starts" light_log_is_checked_first
check "a light log without a batch is no file" log_without_a_batch_is_no_file
if [[ -e /dev/full ]]; then
  check "a full light log is told, and the stream goes on" full_log_is_told_and_the_stream_goes_on
  check "output that cannot be written is a failure" full_output_is_a_failure
else
  echo "skipped: a full light log is told (there is no /dev/full)"
fi
check "SIGINT ends light" interrupted_light INT
check "SIGTERM ends light" interrupted_light TERM
mkdir small
if unshare --mount mount -t tmpfs -o size=200k lockstep-test "$work/small" 2>/dev/null; then
  check "a full disk is told, and the file plays" full_disk_is_told
  check "a disk without room for a picture leaves no file" disk_without_room_for_a_picture
  check "a full disk ends the light log with a whole line" full_disk_ends_the_log_with_a_whole_line
else
  echo "skipped: a full disk is told (this user may not mount a small one)"
fi
exit $failed
