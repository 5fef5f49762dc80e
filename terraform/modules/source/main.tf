# What one function's zip holds: its own folder at the root, lib/ and requirements.txt beside it. A function with a
# requirements.txt of its own has that one, which is complete.
#
# The hash is of just these files, and made here: a zip's own bytes differ from machine to machine
# (hashicorp/terraform-provider-archive#34). It knows no provider, and so is tested for real.

locals {
  _own = {
    for file in fileset("${var.root}/functions/${var.name}", "**") :
    # Words for people, and what a lock is made from, redeploy nothing.
    file => "functions/${var.name}/${file}" if !contains(["function.yaml", "requirements.in"], file)
  }
  _shared = {
    for file in fileset(var.root, "lib/**") :
    file => file if var.ships_schema || !startswith(file, "lib/schema/")
  }

  # By the path in the zip. What Python leaves behind when it runs is no source.
  files = {
    for inside, outside in merge(local._shared, { "requirements.txt" = "requirements.txt" }, local._own) :
    inside => outside if length(regexall("(^|/)(__pycache__/|\\.)|\\.py[co]$", inside)) == 0
  }

  hash = sha256(join("\n", [
    for inside in sort(keys(local.files)) :
    "${inside} ${filesha256("${var.root}/${local.files[inside]}")}"
  ]))
}
