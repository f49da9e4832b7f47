#!/bin/sh
# The setting first, then the service.
export REPORT_CURRENCY="${REPORT_CURRENCY:-CHF}"
node report.mjs
