variable "admin_password_version" {
  description = "Raise it to have a new first administrator's password made. It counts only until the first migration, which makes that user"
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.admin_password_version >= 1 && floor(var.admin_password_version) == var.admin_password_version
    error_message = "admin_password_version is a whole number from 1."
  }
}

variable "admin_username" {
  description = "Name of the first administrator"
  type        = string
  default     = "admin"
  nullable    = false

  validation {
    condition     = length(trimspace(var.admin_username)) >= 1 && length(var.admin_username) <= 100
    error_message = "admin_username has 1 to 100 characters."
  }
}

variable "budget" {
  description = "What the project may cost in a month, and the billing account that pays; null for no budget alert"
  type = object({
    amount          = number
    billing_account = string
    currency        = optional(string) # the billing account's; no other is taken
  })
  default = null

  validation {
    condition     = var.budget == null ? true : can(regex("^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$", var.budget.billing_account))
    error_message = "budget.billing_account looks like 012345-6789AB-CDEF01: gcloud billing accounts list"
  }

  validation {
    condition     = var.budget == null ? true : var.budget.amount >= 1 && floor(var.budget.amount) == var.budget.amount
    error_message = "budget.amount is a whole number from 1."
  }

  validation {
    condition     = try(var.budget.currency, null) == null ? true : can(regex("^[A-Z]{3}$", var.budget.currency))
    error_message = "budget.currency is three letters such as EUR, and the billing account's own; leave it out to have that."
  }
}

variable "database" {
  description = "The Cloud SQL instance: size, availability, backups, and the connections it takes (of which some are left to people and to Cloud SQL)"
  type = object({
    backup_location        = optional(string) # a region, or asia, eu or us; by default the multi-region around the region
    backups                = optional(bool, true)
    disk_limit_gb          = optional(number, 50)
    disk_size_gb           = optional(number, 10)
    edition                = optional(string, "ENTERPRISE")
    high_availability      = optional(bool, false)
    maintenance            = optional(object({ day = number, hour = number }), { day = 7, hour = 3 })
    max_connections        = optional(number, 100)
    no_maintenance         = optional(object({ from = string, to = string })) # 90 days at most: 11-20 to 01-06 each year, or 2026-11-20 to 2027-01-06 once
    point_in_time_recovery = optional(bool, true)
    reserved_connections   = optional(number, 10)
    retained_backups       = optional(number, 7)
    tier                   = optional(string, "db-g1-small")
    transaction_log_days   = optional(number, 7)
    version                = optional(string, "POSTGRES_18")
    working_hours          = optional(object({ start = number, stop = number })) # full hours, UTC, outside of which it is stopped
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["ENTERPRISE", "ENTERPRISE_PLUS"], var.database.edition)
    error_message = "database.edition is ENTERPRISE or ENTERPRISE_PLUS."
  }

  validation {
    condition = (
      var.database.edition == "ENTERPRISE"
      ? can(regex("^db-(f1-micro|g1-small|custom-[0-9]+-[0-9]+)$", var.database.tier))
      : can(regex("^db-(perf-optimized-N|c4a-highmem|memory-optimized-N)-[0-9]+$", var.database.tier))
    )
    error_message = "database.tier ${var.database.tier} is none of the edition ${var.database.edition}: ENTERPRISE has db-f1-micro, db-g1-small and db-custom-<CPUs>-<MB>, ENTERPRISE_PLUS db-perf-optimized-N-<CPUs>."
  }

  validation {
    condition = (
      !startswith(var.database.tier, "db-custom-") ? true :
      try(tonumber(split("-", var.database.tier)[3]), 0) % 256 == 0 && try(tonumber(split("-", var.database.tier)[3]), 0) >= 3840
    )
    error_message = "database.tier ${var.database.tier}: a custom tier's memory is a multiple of 256 MB, and at least 3840."
  }

  validation {
    condition     = !var.database.high_availability || (var.database.backups && var.database.point_in_time_recovery)
    error_message = "database.high_availability needs backups and point_in_time_recovery: set both to true."
  }

  validation {
    condition     = !var.database.point_in_time_recovery || var.database.backups
    error_message = "database.point_in_time_recovery needs backups: set database.backups to true."
  }

  validation {
    condition     = var.database.transaction_log_days >= 1 && var.database.transaction_log_days <= (var.database.edition == "ENTERPRISE" ? 7 : 35)
    error_message = "database.transaction_log_days is 1 to 7 with the edition ENTERPRISE, 1 to 35 with ENTERPRISE_PLUS."
  }

  validation {
    condition     = var.database.retained_backups >= 1 && var.database.retained_backups <= 365 && var.database.retained_backups >= var.database.transaction_log_days
    error_message = "database.retained_backups is 1 to 365, and at least transaction_log_days: a log without the backup before it restores nothing."
  }

  validation {
    condition     = can(regex("^POSTGRES_(1[89]|[2-9][0-9])$", var.database.version))
    error_message = "database.version is POSTGRES_18 or later; the tests run on 18."
  }

  validation {
    condition     = var.database.disk_size_gb >= 10 && var.database.disk_limit_gb >= var.database.disk_size_gb
    error_message = "database.disk_size_gb is at least 10, and disk_limit_gb at least as much."
  }

  validation {
    condition     = contains(range(1, 8), var.database.maintenance.day) && contains(range(0, 24), var.database.maintenance.hour)
    error_message = "database.maintenance is a day from 1 (Monday) to 7 and an hour from 0 to 23, UTC."
  }

  validation {
    condition     = var.database.backup_location == null ? true : can(regex("^(asia|eu|us|[a-z]+-[a-z]+[0-9]{1,2})$", var.database.backup_location))
    error_message = "database.backup_location is a region such as europe-west1, or one of the multi-regions asia, eu and us."
  }

  # A year that has no 29 February stands for every year.
  validation {
    condition = alltrue([
      for period in [
        for never in var.database.no_maintenance[*] : length(never.from) == 5 && length(never.to) == 5 ? {
          from = "2025-${never.from}"
          to   = "${replace(never.to, "-", "") < replace(never.from, "-", "") ? 2026 : 2025}-${never.to}"
        } : never
      ] :
      try(
        timecmp(timeadd("${period.from}T00:00:00Z", "24h"), "${period.to}T00:00:00Z") <= 0
        && timecmp(timeadd("${period.from}T00:00:00Z", "2160h"), "${period.to}T00:00:00Z") >= 0,
        false,
      )
    ])
    error_message = "database.no_maintenance is a period of 1 to 90 days (https://cloud.google.com/sql/docs/postgres/maintenance): from and to are both mm-dd, for each year, or both yyyy-mm-dd."
  }

  validation {
    condition = var.database.working_hours == null ? true : (
      contains(range(0, 24), var.database.working_hours.start)
      && contains(range(0, 24), var.database.working_hours.stop)
      && var.database.working_hours.stop - var.database.working_hours.start >= 6
    )
    error_message = "database.working_hours start and stop at full hours from 0 to 23, UTC, at least six apart: the daily backup begins within the second to the fifth of them."
  }

  validation {
    condition     = var.database.working_hours == null || var.environment != "prod"
    error_message = "In prod the database runs day and night: leave database.working_hours out."
  }

  validation {
    condition     = var.database.reserved_connections >= 6
    error_message = "database.reserved_connections is at least 6: Postgres keeps three for its administrator, Cloud SQL uses as many."
  }
}

variable "database_operators" {
  description = "People and groups who may look after the database by hand, such as user:ana@example.com or group:oncall@example.com"
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for member in var.database_operators : can(regex("^(user|group):[a-z0-9._%+'-]+@[a-z0-9-]+(\\.[a-z0-9-]+)+$", member))])
    error_message = "database_operators are user:<address> or group:<address>, the addresses in lower case."
  }

  validation {
    condition     = alltrue([for member in var.database_operators : !endswith(member, "gserviceaccount.com")])
    error_message = "database_operators are people: a service account has the rights of its function."
  }

  validation {
    condition     = alltrue([for member in var.database_operators : length(try(split(":", member)[1], "")) <= 63])
    error_message = "An address in database_operators has at most 63 characters, which is what Postgres keeps of a name."
  }

  validation {
    condition     = length(distinct([for member in var.database_operators : try(split(":", member)[1], member)])) == length(var.database_operators)
    error_message = "database_operators names an address as a person's and as a group's."
  }
}

variable "deletion_protection" {
  description = "Whether Terraform and the APIs refuse to delete the database and the secrets"
  type        = bool
  default     = true
  nullable    = false

  validation {
    condition     = var.deletion_protection || var.environment != "prod"
    error_message = "In prod, deletion_protection stays on: to tear it down, see teardown."
  }
}

variable "domain" {
  description = "Domain of the API, such as movies.example.com: puts a load balancer with certificate, rate limits and cache before it. null: each function's own URL only"
  type        = string
  default     = null

  validation {
    condition     = var.domain == null ? true : can(regex("^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z]{2,63}$", var.domain)) && length(var.domain) <= 63
    error_message = "domain is a name such as movies.example.com: lower case, no scheme, no path, at most 63 characters (the certificate's limit)."
  }
}

variable "domain_only" {
  description = "Whether public functions answer to the load balancer alone, and no longer at their own URLs; set it once the domain answers"
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = !var.domain_only || var.domain != null
    error_message = "domain_only needs a domain: without one, nothing would answer."
  }
}

variable "environment" {
  description = "Name of the environment; each has a project and a state of its own"
  type        = string
  default     = "dev"
  nullable    = false

  validation {
    condition     = contains(["dev", "staging", "prod"], var.environment)
    error_message = "environment is dev, staging or prod."
  }
}

variable "function_sizes" {
  description = "What a function has other than its function.yaml says, by its name"
  type = map(object({
    concurrency   = optional(number)
    connections   = optional(number)
    cpu           = optional(string)
    max_instances = optional(number)
    memory        = optional(string)
    min_instances = optional(number)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = length(setsubtract(keys(var.function_sizes), keys(local.function_table))) == 0
    error_message = "function_sizes names what is no function: ${join(", ", setsubtract(keys(var.function_sizes), keys(local.function_table)))}. There are ${join(", ", keys(local.function_table))}."
  }
}

variable "import_paused" {
  description = "Whether all schedules of the import rest"
  type        = bool
  default     = false
  nullable    = false
}

variable "import_schedules" {
  description = "When movies_import is invoked, and with which body, by a name"
  type = map(object({
    body      = optional(string, "{}")
    paused    = optional(bool, false)
    schedule  = string
    time_zone = optional(string, "Etc/UTC")
  }))
  default = {
    hourly = { schedule = "7 * * * *" }
  }
  nullable = false

  validation {
    condition     = alltrue([for name in keys(var.import_schedules) : can(regex("^[a-z][a-z0-9-]{0,40}$", name))])
    error_message = "A name in import_schedules has lower-case letters, digits and hyphens, a letter first."
  }

  validation {
    condition     = alltrue([for schedule in var.import_schedules : can(regex("^\\s*([0-9*/,-]+\\s+){2}([0-9*/,A-Za-z-]+\\s+){2}[0-9*/,A-Za-z-]+\\s*$", schedule.schedule))])
    error_message = "A schedule in import_schedules has five fields, as in crontab: minute, hour, day, month, weekday."
  }

  validation {
    condition     = alltrue([for schedule in var.import_schedules : can(keys(jsondecode(schedule.body)))])
    error_message = "A body in import_schedules is a JSON object, such as {} or {\"refresh\": true}."
  }
}

variable "import_silence_hours" {
  description = "After how many hours without an import that ended the alert import_stopped is raised: an hour more than schedules pause, or more. With a pause of more than 23 hours there is no such alert"
  type        = number
  default     = 3
  nullable    = false

  validation {
    condition     = contains(range(1, 25), var.import_silence_hours)
    error_message = "import_silence_hours is a whole number from 1 to 24: no alert waits longer."
  }
}

variable "kms_key" {
  description = "Key in Cloud KMS, of this region, that encrypts database, backups, secrets, source and images from when they are made; null: Google's own keys"
  type        = string
  default     = null

  validation {
    condition     = var.kms_key == null ? true : can(regex("^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$", var.kms_key))
    error_message = "kms_key is projects/<project>/locations/<region>/keyRings/<ring>/cryptoKeys/<key>, without a version."
  }

  # Cloud SQL, secrets with a replica in the region, the registry and functions all take a key of their
  # own location alone: https://cloud.google.com/functions/docs/securing/cmek
  validation {
    condition     = var.kms_key == null ? true : try(split("/", var.kms_key)[3], "") == var.region
    error_message = "kms_key has to be in the region ${var.region}, as what it encrypts."
  }
}

variable "log_level" {
  description = "The least severity that functions log"
  type        = string
  default     = "INFO"
  nullable    = false

  validation {
    condition     = contains(["DEBUG", "INFO", "WARNING"], var.log_level)
    error_message = "log_level is DEBUG, INFO or WARNING: alerts count warnings, and hear nothing of what is not logged."
  }
}

variable "notification_channels" {
  description = "Who hears of alerts: type and labels of Cloud Monitoring's channels, by a name"
  type = map(object({
    labels = map(string)
    type   = string
  }))
  default  = {}
  nullable = false
}

variable "objectives" {
  description = "Shares of requests, over 28 days, that have to be answered without a fault of ours, and of reads that have to be fast"
  type = object({
    reads_available         = optional(number, 0.999)
    reads_fast              = optional(number, 0.95)
    reads_fast_milliseconds = optional(number, 300)
    writes_available        = optional(number, 0.99)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for goal in [var.objectives.reads_available, var.objectives.reads_fast, var.objectives.writes_available] : goal > 0 && goal <= 0.9999])
    error_message = "An objective is a share above 0 and up to 0.9999; nothing is ever 1."
  }
}

variable "omdb_api_key_version" {
  description = "Version of the secret with OMDb's key that functions read; 1 is a placeholder"
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.omdb_api_key_version >= 1 && floor(var.omdb_api_key_version) == var.omdb_api_key_version
    error_message = "omdb_api_key_version is a whole number from 1: gcloud secrets versions list ${var.prefix}-omdb-api-key"
  }
}

variable "omdb_calls_per_caller" {
  description = "Calls to OMDb an hour that callers from one network may cause; an account may cause five times as many"
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = var.omdb_calls_per_caller >= 1 && var.omdb_calls_per_caller <= 10000000 && floor(var.omdb_calls_per_caller) == var.omdb_calls_per_caller
    error_message = "omdb_calls_per_caller is a whole number from 1 to 10000000."
  }
}

variable "omdb_daily_budget" {
  description = "Calls to OMDb a day that all instances together may make"
  type        = number
  default     = 1000
  nullable    = false

  validation {
    condition     = var.omdb_daily_budget >= 1 && var.omdb_daily_budget <= 10000000
    error_message = "omdb_daily_budget is 1 to 10000000; OMDb's free plan has 1000."
  }
}

variable "omdb_import_share" {
  description = "Per cent of omdb_daily_budget that are the import's alone, and as much for those who create single movies; the rest is whoever's comes first"
  type        = number
  default     = 40
  nullable    = false

  validation {
    condition     = var.omdb_import_share >= 0 && var.omdb_import_share <= 50 && floor(var.omdb_import_share) == var.omdb_import_share
    error_message = "omdb_import_share is a whole number from 0 to 50."
  }
}

variable "pipeline" {
  description = "What builds this environment: a repository on GitHub that Cloud Build is connected to in this project (its full name), the branches (a regular expression), and whether a person approves each plan; null for no trigger"
  type = object({
    approval_required = optional(bool, false)
    branch            = string
    repository        = string
  })
  default = null

  validation {
    condition     = var.pipeline == null ? true : can(regex("^projects/[^/]+/locations/[^/]+/connections/[^/]+/repositories/[^/]+$", var.pipeline.repository))
    error_message = "pipeline.repository is projects/<project>/locations/<region>/connections/<connection>/repositories/<repository>."
  }

  validation {
    condition     = var.pipeline == null ? true : startswith(var.pipeline.repository, "projects/${var.project_id}/locations/${var.region}/")
    error_message = "Cloud Build has to be connected to the repository in this project and region: pipeline.repository begins with projects/<project_id>/locations/<region>/."
  }

  validation {
    condition     = var.pipeline == null || var.environment != "prod" ? true : var.pipeline.approval_required
    error_message = "In prod a person approves: set pipeline.approval_required to true."
  }
}

variable "prefix" {
  description = "What names begin with, of everything that is unique in a project or at Google; another one for the second of two in one project, before its first apply"
  type        = string
  default     = "movies"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]*[a-z0-9]$", var.prefix))
    error_message = "prefix has lower-case letters, digits and hyphens: a letter first, no hyphen last, two characters at least."
  }

  validation {
    condition     = length(var.prefix) <= 20
    error_message = "prefix has 20 characters at most, as the account <prefix>-scheduler has 30."
  }

  validation {
    condition     = var.prefix != "fn"
    error_message = "prefix is not fn: with the default, functions' accounts begin so."
  }
}

variable "private_network" {
  description = "Whether the database has a private address only, which functions reach through a network of our own; otherwise a public one without any authorised network"
  type        = bool
  default     = true
  nullable    = false
}

variable "project_id" {
  description = "The project"
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id is a project's id (not its name or number): 6 to 30 lower-case letters, digits and hyphens."
  }
}

variable "rate_limits" {
  description = "Requests a minute that the load balancer takes from one client"
  type = object({
    api_per_minute   = optional(number, 600)
    login_per_minute = optional(number, 20)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.rate_limits.login_per_minute >= 1 && var.rate_limits.login_per_minute < var.rate_limits.api_per_minute
    error_message = "rate_limits.login_per_minute is at least 1, and stricter than api_per_minute."
  }
}

variable "refresh_key_version" {
  description = "Raise it to have a new key made that refresh tokens are derived with. Sessions go on"
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.refresh_key_version >= 1 && floor(var.refresh_key_version) == var.refresh_key_version
    error_message = "refresh_key_version is a whole number from 1."
  }
}

variable "region" {
  description = "The region of everything that has one"
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]{1,2}$", var.region))
    error_message = "region is a region such as europe-west1, not a zone."
  }
}

variable "runbook_url" {
  description = "Address at which docs/runbook.md is read, https://…: alerts link its sections; null for no links"
  type        = string
  default     = null

  validation {
    condition     = var.runbook_url == null ? true : can(regex("^https://[^/\\s]+/\\S*$", var.runbook_url)) && !can(regex("#", var.runbook_url))
    error_message = "runbook_url is the whole address of docs/runbook.md, from https:// on and without a #section."
  }
}

variable "subnet_cidr" {
  description = "Range of the functions' subnet; each instance takes two addresses, and during a deployment four"
  type        = string
  default     = "10.20.0.0/23"
  nullable    = false

  validation {
    condition     = can(cidrhost(var.subnet_cidr, 0)) && try(tonumber(split("/", var.subnet_cidr)[1]) <= 26, false)
    error_message = "subnet_cidr is an IPv4 range of /26 or larger, such as 10.20.0.0/24."
  }

  validation {
    condition     = can(regex("^(10\\.|172\\.(1[6-9]|2[0-9]|3[01])\\.|192\\.168\\.)", var.subnet_cidr))
    error_message = "subnet_cidr is a private range (RFC 1918): in 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16."
  }
}

variable "teardown" {
  description = "The project's id, once everything in it is to be destroyed: takes the protection from database and secrets, so that `terraform destroy` with the same value succeeds"
  type        = string
  default     = null

  validation {
    condition     = var.teardown == null || var.teardown == var.project_id
    error_message = "teardown is the id of the project that is to go, as project_id has it, or null."
  }
}

variable "token_key_generation" {
  description = "Which pair of keys signs tokens. Raise it by one to rotate; by three when a private key has leaked"
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.token_key_generation >= 1 && floor(var.token_key_generation) == var.token_key_generation
    error_message = "token_key_generation is a whole number from 1."
  }
}
