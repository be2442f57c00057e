#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Draws a small log of light, and what is none.
#
# usage: plot_test.sh PLOT_LIGHT
set -uo pipefail
plot=$(realpath "$1")
. "$(dirname "$(realpath "${BASH_SOURCE[0]}")")/../support/check.sh"
cd "$work" || exit 1
export MPLCONFIGDIR=$work

# The interpreter that Debian's packages are for, as in the script.
/usr/bin/python3 -c 'import matplotlib' 2>/dev/null || {
  echo "skipped: Python has no matplotlib here (python3-matplotlib)"
  exit 77
}

# refuses TEXT ARGUMENT...: whether it ends with status 1, says so in one line, and draws nothing.
refuses() {
  local text=$1 status=0
  shift
  "$plot" "$@" -o none.png >output 2>&1 || status=$?
  cat output
  [[ $status == 1 && ! -e none.png && $(wc -l <output) == 1 ]] && grep -qF -- "$text" output
}

is_png() { [[ $(head -c 4 "$1" | tail -c 3) == PNG ]]; }

columns=state,revision,settings,exposure_us,analogue_gain,digital_gain,red_gain,blue_gain,frame_duration_us
columns+=,luma,clipped_dark,clipped_bright,red,green,blue,offset_us
{
  echo "batch,time_s,uniform,skew_us,s0_${columns//,/,s0_},s1_${columns//,/,s1_}"
  for i in {0..9}; do
    frame=fresh,$i,settled,1000$i.000,1.$i,1,1.5,1.$i,33333.000,0.1$i,0,0,0.1,0.1,0.1,0.000
    # The second sensor is missing once, and was not metered.
    other=fresh,$i,changing,9000,1,1,1.5,1.4,,,,,,,,3.000
    [[ $i != 4 ]] || other=missing,,,,,,,,,,,,,,,
    echo "$i,0.$i,$((i != 4 && i != 5)),3.000,$frame,$other"
  done
} >light.csv

draws_one() { "$plot" light.csv -o one.png && is_png one.png; }
draws_two() { "$plot" light.csv light.csv -o two.png --title Shared --title Alone && is_png two.png; }
refuses_what_is_no_log() {
  echo "a,b" >other.csv && echo "1,2" >>other.csv && : >empty.csv && head -n 1 light.csv >header.csv &&
    refuses "no log of light" other.csv && refuses "no batch" empty.csv &&
    refuses "no batch" header.csv && refuses "No such file" missing.csv
}
refuses_a_bad_output() {
  local status=0
  "$plot" light.csv -o nowhere/x.png >output 2>&1 || status=$?
  cat output
  [[ $status == 1 ]] && grep -q "write nowhere/x.png" output
}

check "a log is drawn, gaps and all" draws_one
check "two logs are drawn side by side" draws_two
check "what is no log is refused" refuses_what_is_no_log
check "a picture that cannot be written is told" refuses_a_bad_output
exit $failed
