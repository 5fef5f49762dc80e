variable "account" {
  description = "E-mail address of the service account that the function runs as"
  type        = string
}

variable "build" {
  description = "What a build needs: the bucket with the source, the repository for the image, the account (its full name) that builds"
  type = object({
    account    = string
    bucket     = string
    repository = string
  })
}

variable "environment_variables" {
  description = "Plain environment variables"
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "ingress" {
  description = "Where requests may come from: ALLOW_ALL or ALLOW_INTERNAL_AND_GCLB"
  type        = string
  default     = "ALLOW_ALL"
  nullable    = false

  validation {
    condition     = contains(["ALLOW_ALL", "ALLOW_INTERNAL_AND_GCLB"], var.ingress)
    error_message = "ingress is ALLOW_ALL or ALLOW_INTERNAL_AND_GCLB."
  }
}

variable "invoker" {
  description = "The one member that may invoke the function: allUsers, or an account"
  type        = string

  validation {
    condition     = var.invoker == "allUsers" || startswith(var.invoker, "serviceAccount:")
    error_message = "invoker is allUsers or serviceAccount:<e-mail>."
  }
}

variable "kms_key" {
  description = "Key that encrypts source, image and instances; null: Google's own"
  type        = string
  default     = null
}

variable "name" {
  description = "The function: the name of its folder in functions/ and of its entry point"
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9_]{1,26}$", var.name))
    error_message = "A function's name has 2 to 27 lower-case letters, digits and underscores, as its service is <prefix>-<name> and has at most 49."
  }
}

variable "network" {
  description = "Name of the subnet through which private addresses are reached; null for none"
  type        = string
  default     = null
}

variable "project_id" {
  description = "The project"
  type        = string
}

variable "region" {
  description = "The region"
  type        = string
}

variable "secrets" {
  description = "The secret, and the number of its version, behind each secret environment variable"
  type = map(object({
    project = string
    secret  = string
    version = string
  }))
  default  = {}
  nullable = false
}

variable "service" {
  description = "Name of the function in the cloud, and so of the Cloud Run service underneath, which allows no underscore"
  type        = string
}

variable "ships_schema" {
  description = "Whether the zip holds lib/schema"
  type        = bool
  default     = false
  nullable    = false
}

variable "size" {
  description = "What an instance has, and how many there may be"
  type = object({
    concurrency     = number
    cpu             = string
    max_instances   = number
    memory          = string
    min_instances   = number
    timeout_seconds = number
  })

  validation {
    condition     = var.size.concurrency == 1 || tonumber(var.size.cpu) >= 1
    error_message = "More than one request at once (concurrency) needs a whole CPU: set cpu to \"1\" or more, or concurrency to 1."
  }

  validation {
    condition     = var.size.max_instances >= 1 && var.size.max_instances >= var.size.min_instances
    error_message = "max_instances is at least 1, and at least min_instances."
  }

  validation {
    condition     = var.size.timeout_seconds >= 1 && var.size.timeout_seconds <= 3600
    error_message = "timeout_seconds is 1 to 3600, the most that Cloud Run waits for an HTTP function."
  }

  validation {
    condition     = can(regex("^[1-9][0-9]*(Mi|Gi)$", var.size.memory))
    error_message = "memory is a number of Mi or Gi, such as 512Mi."
  }
}

variable "source_root" {
  description = "The repository's root"
  type        = string
}
