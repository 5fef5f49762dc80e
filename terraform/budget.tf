# What the project may cost in a month, and who hears when it nears that.

resource "google_billing_budget" "main" {
  count = var.budget == null ? 0 : 1

  billing_account = var.budget.billing_account
  display_name    = "movies ${var.environment}"

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

  all_updates_rule {
    monitoring_notification_channels = [for channel in google_monitoring_notification_channel.main : channel.id]
  }

  depends_on = [time_sleep.services]
}

resource "google_billing_account_iam_member" "deployer" {
  count = var.budget == null ? 0 : 1

  billing_account_id = var.budget.billing_account
  role               = "roles/billing.costsManager"
  member             = "serviceAccount:${local.deployer}"
}
