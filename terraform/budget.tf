# What the project may cost in a month, and who hears when it nears that. Whoever applies it needs
# roles/billing.admin on the billing account: it hands the deployer a role there, by the Cloud Billing
# API, and the budget itself is the Cloud Billing Budget API's
# (https://cloud.google.com/billing/docs/how-to/budget-api-access-control). With the provider's
# user_project_override, both APIs have to be enabled in this project; services.tf does it.

locals {
  # A budget takes channels of e-mail alone, and five at most:
  # https://cloud.google.com/python/docs/reference/billingbudgets/latest/google.cloud.billing.budgets_v1.types.NotificationsRule
  budget_channels = sort([for name, channel in var.notification_channels : name if channel.type == "email"])
}

resource "google_billing_budget" "main" {
  count = var.budget == null ? 0 : 1

  billing_account = var.budget.billing_account
  display_name    = "${var.prefix} ${var.environment}"

  amount {
    specified_amount {
      currency_code = var.budget.currency
      units         = tostring(var.budget.amount)
    }
  }

  budget_filter {
    projects = ["projects/${data.google_project.main.number}"]
  }

  dynamic "threshold_rules" {
    for_each = { half = 0.5, most = 0.9, all = 1.0 }

    content {
      threshold_percent = threshold_rules.value
    }
  }

  threshold_rules {
    spend_basis       = "FORECASTED_SPEND"
    threshold_percent = 1.0
  }

  # Without one, the billing account's administrators and users hear of it, as they do anyway.
  dynamic "all_updates_rule" {
    for_each = length(local.budget_channels) == 0 ? [] : [local.budget_channels]

    content {
      monitoring_notification_channels = [for name in all_updates_rule.value : google_monitoring_notification_channel.main[name].id]
    }
  }

  lifecycle {
    precondition {
      condition     = length(local.budget_channels) <= 5
      error_message = "A budget reaches five e-mail channels at most, but notification_channels has ${length(local.budget_channels)} (${join(", ", local.budget_channels)}): let one address stand for several people."
    }
  }

  depends_on = [time_sleep.services]
}

resource "google_billing_account_iam_member" "deployer" {
  count = var.budget == null ? 0 : 1

  billing_account_id = var.budget.billing_account
  role               = "roles/billing.costsManager"
  member             = "serviceAccount:${local.deployer}"
}
