# Who may do what. Members are added one by one (`_member`): a `_binding` would take the role from
# everyone that it does not name.

resource "google_service_account" "function" {
  for_each = local.functions

  account_id   = local._account_ids[each.key]
  display_name = "Function ${each.key}"

  depends_on = [time_sleep.services]
}

resource "google_service_account" "scheduler" {
  account_id   = "${var.prefix}-scheduler"
  display_name = "Ticks of the import"

  depends_on = [time_sleep.services]
}

resource "google_service_account" "deployer" {
  account_id   = "${var.prefix}-deployer"
  display_name = "The pipeline: plans, applies, migrates"

  depends_on = [time_sleep.services]
}

locals {
  # Spelt out of what is known before the apply, so that a plan shows who gets what.
  _account_domain = "${var.project_id}.iam.gserviceaccount.com"

  accounts  = { for name, account in google_service_account.function : name => "${account.account_id}@${local._account_domain}" }
  deployer  = "${google_service_account.deployer.account_id}@${local._account_domain}"
  scheduler = "${google_service_account.scheduler.account_id}@${local._account_domain}"

  database_members = {
    for pair in setproduct(keys(local.database_functions), ["roles/cloudsql.client", "roles/cloudsql.instanceUser"]) :
    "${pair[0]} ${pair[1]}" => { function = pair[0], role = pair[1] }
  }

  secret_readers = merge([
    for name, variables in local.function_secrets : {
      for variable in variables : "${name} ${variable}" => { function = name, variable = variable }
    }
  ]...)

  # By function, what it is granted: another grant is another text.
  function_grants = {
    for name in keys(local.functions) : name => join(" ", sort(concat(
      [for member in local.database_members : member.role if member.function == name],
      local.function_secrets[name],
    ))) if contains(keys(local.database_functions), name) || length(local.function_secrets[name]) > 0
  }

  # What an apply of this configuration touches, and no Owner or Editor.
  deployer_roles = toset(concat(
    [
      "roles/artifactregistry.admin",
      "roles/cloudbuild.builds.editor",
      "roles/cloudfunctions.admin",
      "roles/cloudscheduler.admin",
      "roles/cloudsql.admin",
      "roles/iam.serviceAccountAdmin",
      "roles/logging.configWriter",
      "roles/logging.logWriter",
      "roles/monitoring.admin",
      "roles/run.admin",
      "roles/secretmanager.admin",
      "roles/serviceusage.serviceUsageAdmin",
      "roles/storage.admin",
    ],
    var.private_network ? ["roles/compute.networkAdmin", "roles/servicenetworking.networksAdmin"] : [],
    local.has_door ? ["roles/compute.securityAdmin"] : [], # firewall rules, which networkAdmin only reads
    # Reads which commit a branch is at: https://cloud.google.com/build/docs/iam-roles-permissions
    var.pipeline == null ? [] : ["roles/cloudbuild.readTokenAccessor"],
    # Certificate Manager's editor may delete nothing:
    # https://cloud.google.com/iam/docs/roles-permissions/certificatemanager
    var.domain == null ? [] : ["roles/certificatemanager.owner", "roles/compute.loadBalancerAdmin", "roles/compute.securityAdmin"],
  ))

  # The roles that the deployer may hand out in the project: those of the functions, of their build
  # and of operators. Its own are not among them: a person widens what the pipeline does. As administrator of
  # accounts and secrets it could still reach what these reach, so guard who may push and build.
  granted_roles = sort(distinct([
    for member in concat(
      values(google_project_iam_member.build),
      values(google_project_iam_member.database),
      values(google_project_iam_member.operator),
      google_project_iam_member.hours,
    ) : member.role
  ]))

  # Whom the deployer may let a resource run as.
  deployed_accounts = merge(
    { for name, account in google_service_account.function : name => account.id },
    { for account in google_service_account.hours : "hours" => account.id },
    {
      build     = google_service_account.build.id
      scheduler = google_service_account.scheduler.id
      self      = google_service_account.deployer.id
    },
  )
}

resource "google_project_iam_member" "database" {
  for_each = local.database_members

  project = var.project_id
  role    = each.value.role
  member  = "serviceAccount:${local.accounts[each.value.function]}"
}

resource "google_secret_manager_secret_iam_member" "function" {
  for_each = local.secret_readers

  project   = var.project_id
  secret_id = google_secret_manager_secret.main[each.value.variable].secret_id
  role      = "roles/secretmanager.secretAccessor"
  member    = "serviceAccount:${local.accounts[each.value.function]}"
}

# A function reads its secrets and logs in to the database as soon as it is deployed, and a grant
# typically takes two minutes to spread: https://cloud.google.com/iam/docs/access-change-propagation
# Only who is new here, or is granted more, is waited for.
resource "time_sleep" "grants" {
  for_each = local.function_grants

  create_duration = "120s"
  triggers        = { grants = each.value }

  depends_on = [
    google_project_iam_member.database,
    google_secret_manager_secret_iam_member.function,
  ]
}

resource "google_project_iam_member" "deployer" {
  for_each = local.deployer_roles

  #checkov:skip=CKV_GCP_42:The pipeline makes, changes and removes what is here: these are the roles for that, instead of Owner or Editor
  #checkov:skip=CKV_GCP_49:It makes the accounts that functions run as, and may act only as those, one by one
  project = var.project_id
  role    = each.key
  member  = "serviceAccount:${local.deployer}"
}

resource "google_project_iam_member" "deployer_grants" {
  #checkov:skip=CKV_GCP_42:Bound to the roles that this configuration hands out
  project = var.project_id
  role    = "roles/resourcemanager.projectIamAdmin"
  member  = "serviceAccount:${local.deployer}"

  condition {
    title       = "only-roles-of-this-service"
    description = "May hand out what functions, their build and operators need, and nothing of its own"
    expression = format(
      "api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', []).hasOnly([%s])",
      join(", ", [for role in local.granted_roles : "'${role}'"]),
    )
  }
}

resource "google_service_account_iam_member" "deployer_acts_as" {
  for_each = local.deployed_accounts

  service_account_id = each.value
  role               = "roles/iam.serviceAccountUser"
  member             = "serviceAccount:${local.deployer}"
}

# An identity token of its own, to call `migrate` with (`./dev call migrate`):
# https://cloud.google.com/build/docs/securing-builds/authorize-service-to-service-access
resource "google_service_account_iam_member" "deployer_identity" {
  service_account_id = google_service_account.deployer.id
  role               = "roles/iam.serviceAccountOpenIdTokenCreator"
  member             = "serviceAccount:${local.deployer}"
}
