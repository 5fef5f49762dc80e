# The variables alone: what they refuse can be tried without a provider, in no time.

terraform {
  required_version = ">= 1.11, < 2"
}

locals {
  # The validation of function_sizes asks for its names; the whole configuration tries that one.
  function_table = {}
}
