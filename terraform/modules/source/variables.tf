variable "name" {
  description = "The function: the name of its folder in functions/"
  type        = string
}

variable "root" {
  description = "The repository's root"
  type        = string
}

variable "ships_schema" {
  description = "Whether lib/schema goes with it: only for who runs them"
  type        = bool
  default     = false
  nullable    = false
}
