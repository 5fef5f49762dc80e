#!/usr/bin/env sh
# terraform init of $_ENVIRONMENT, with the providers that the lock file names and no others.
set -eu

lock=-lockfile=readonly
if [ ! -f .terraform.lock.hcl ]; then
    if [ "$_ENVIRONMENT" != dev ]; then
        echo "There is no terraform/.terraform.lock.hcl: without it, any release of a provider that was" >&2
        echo "published a minute ago would run here. Make it and commit it, in terraform/:" >&2
        echo "  terraform providers lock -platform=linux_amd64 -platform=darwin_arm64" >&2
        exit 1
    fi
    echo "There is no terraform/.terraform.lock.hcl: dev goes on, staging and prod would not"
    lock=
fi
# shellcheck disable=SC2086  no argument at all, where there is no lock
terraform init -input=false $lock -backend-config="environments/$_ENVIRONMENT/backend.hcl"
