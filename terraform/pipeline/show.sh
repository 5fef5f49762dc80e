#!/usr/bin/env sh
# What the plan in movies.tfplan does: as text for people (plan.txt), and for programs (plan.json).
set -eu

terraform show -no-color movies.tfplan >all.txt
awk -f pipeline/readable.awk all.txt >plan.txt
terraform show -json movies.tfplan >plan.json
