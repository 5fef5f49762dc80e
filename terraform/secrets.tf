# No secret value is in the state or in a plan: values are ephemeral or come by hand, and are written
# by write-only arguments. Functions read a numbered version, so that a new one is a new revision.
#
# A version that is no longer needed goes only after the functions have been updated, so that no
# instance starts with a version that is gone. That is what create_before_destroy does, also where
# nothing takes the old one's place:
# https://github.com/hashicorp/terraform/blob/main/docs/destroying.md#create-before-destroy
#
# They read them as variables, not as mounted files: a file follows the newest version without a
# deployment, so a wrong key would reach every instance at once, with no revision to go back to. Nor
# would a rotation gain by it: a signing key has to be known to all verifiers first, which is a
# deployment, and OMDb's key changes by one number.

locals {
  # By the variable that a function reads the secret from.
  secret_ids = {
    ADMIN_PASSWORD    = "${var.prefix}-admin-password"
    OMDB_API_KEY      = "${var.prefix}-omdb-api-key"
    REFRESH_KEY       = "${var.prefix}-refresh-key"
    TOKEN_PRIVATE_KEY = "${var.prefix}-token-private-key"
  }

  _secret_versions = {
    ADMIN_PASSWORD = google_secret_manager_secret_version.admin_password.version
    OMDB_API_KEY = (
      var.omdb_api_key_version == 1
      ? google_secret_manager_secret_version.omdb_api_key_placeholder.version
      : tostring(var.omdb_api_key_version)
    )
    REFRESH_KEY       = google_secret_manager_secret_version.refresh_key.version
    TOKEN_PRIVATE_KEY = google_secret_manager_secret_version.token_private_key[var.token_key_generation].version
  }

  secrets = {
    for variable, id in local.secret_ids : variable => {
      # The number: with the project's id, what the API answers differs from what was asked
      # (hashicorp/terraform-provider-google#11383).
      project = data.google_project.main.number
      secret  = google_secret_manager_secret.main[variable].secret_id
      version = local._secret_versions[variable]
    }
  }

  # Verifiers know the key before it signs, and the one that signed before: raising the generation
  # by one interrupts nobody, whatever the order in which the functions are deployed.
  token_key_generations = toset([
    for generation in [var.token_key_generation - 1, var.token_key_generation, var.token_key_generation + 1] :
    tostring(generation) if generation > 0
  ])

  # Public halves are no secret; only the provider takes all that is in Secret Manager for one.
  token_public_keys = join("", [
    for generation in local.token_key_generations :
    nonsensitive(data.google_secret_manager_secret_version.token_public_key[generation].secret_data)
  ])
}

data "google_project" "main" {
  project_id = var.project_id
}

resource "google_secret_manager_secret" "main" {
  # Public keys are no function's secret: the plan itself reads them.
  for_each = merge(local.secret_ids, { TOKEN_PUBLIC_KEYS = "${var.prefix}-token-public-key" })

  secret_id           = each.value
  deletion_protection = local.is_protected

  replication {
    dynamic "auto" {
      for_each = var.kms_key == null ? [true] : []

      content {}
    }

    # With automatic replication the key would have to be in `global`, where the database takes none:
    # https://cloud.google.com/python/docs/reference/secretmanager/latest/google.cloud.secretmanager_v1.types.CustomerManagedEncryption
    dynamic "user_managed" {
      for_each = var.kms_key[*]

      content {
        replicas {
          location = var.region

          customer_managed_encryption {
            kms_key_name = user_managed.value
          }
        }
      }
    }
  }

  lifecycle {
    ignore_changes = [replication] # another one would be another secret, without its values
  }

  depends_on = [time_sleep.services]
}

moved {
  from = google_secret_manager_secret.token_public_key
  to   = google_secret_manager_secret.main["TOKEN_PUBLIC_KEYS"]
}

# The first administrator ---------------------------------------------------------------------------

ephemeral "random_password" "admin" {
  length  = 32
  special = false # typed and pasted by people
}

resource "google_secret_manager_secret_version" "admin_password" {
  secret                 = google_secret_manager_secret.main["ADMIN_PASSWORD"].id
  secret_data_wo         = ephemeral.random_password.admin.result
  secret_data_wo_version = tostring(var.admin_password_version)

  lifecycle {
    create_before_destroy = true
  }
}

# OMDb's key ----------------------------------------------------------------------------------------

# Version 1 only lets the functions start; the key itself is added by hand and never seen here:
#   gcloud secrets versions add <prefix>-omdb-api-key --data-file=-
resource "google_secret_manager_secret_version" "omdb_api_key_placeholder" {
  secret                 = google_secret_manager_secret.main["OMDB_API_KEY"].id
  secret_data_wo         = "unset"
  secret_data_wo_version = "1"

  deletion_policy = "ABANDON"
}

check "omdb_api_key" {
  assert {
    condition     = var.omdb_api_key_version > 1
    error_message = "OMDb's key is still the placeholder: movies_create answers 502. Add it with `gcloud secrets versions add ${local.secret_ids.OMDB_API_KEY} --data-file=-`, and set omdb_api_key_version to the number it prints."
  }
}

# The key that refresh tokens are derived with ------------------------------------------------------

# Another one ends no session: what is stored tells of each token whether it is the present one.
ephemeral "random_password" "refresh_key" {
  length  = 64
  special = false # 62 characters: 381 bits, and 256 are the least
}

resource "google_secret_manager_secret_version" "refresh_key" {
  secret                 = google_secret_manager_secret.main["REFRESH_KEY"].id
  secret_data_wo         = ephemeral.random_password.refresh_key.result
  secret_data_wo_version = tostring(var.refresh_key_version)

  lifecycle {
    create_before_destroy = true
  }
}

# The keys that tokens are signed with --------------------------------------------------------------

ephemeral "tls_private_key" "token" {
  for_each = local.token_key_generations

  algorithm = "ED25519"
}

resource "google_secret_manager_secret_version" "token_private_key" {
  for_each = local.token_key_generations

  secret                 = google_secret_manager_secret.main["TOKEN_PRIVATE_KEY"].id
  secret_data_wo         = ephemeral.tls_private_key.token[each.key].private_key_pem_pkcs8
  secret_data_wo_version = each.key

  lifecycle {
    create_before_destroy = true
  }
}

resource "google_secret_manager_secret_version" "token_public_key" {
  for_each = local.token_key_generations

  secret                 = google_secret_manager_secret.main["TOKEN_PUBLIC_KEYS"].id
  secret_data_wo         = ephemeral.tls_private_key.token[each.key].public_key_pem
  secret_data_wo_version = each.key

  lifecycle {
    create_before_destroy = true
  }
}

data "google_secret_manager_secret_version" "token_public_key" {
  for_each = local.token_key_generations

  secret  = google_secret_manager_secret.main["TOKEN_PUBLIC_KEYS"].secret_id
  version = google_secret_manager_secret_version.token_public_key[each.key].version
}
