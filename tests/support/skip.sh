#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A test that cannot be run here, and says why.
#
# usage: skip.sh REASON
echo "$1"
exit 77
