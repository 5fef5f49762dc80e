# Guards when a function is deployed anew: with a change to its own files or to what it ships of lib,
# and not with another's. The zip's name is a hash of just these files; too wide, each commit would
# rebuild everything, too narrow, a change would never arrive.

run "a_zip_holds_its_function_at_the_root_and_lib_beside_it" {
  module {
    source = "./modules/source"
  }

  variables {
    name = "list"
    root = "tests/sources/before"
  }

  assert {
    condition = output.files == {
      "lib/shared.txt"   = "lib/shared.txt"
      "main.txt"         = "functions/list/main.txt"
      "requirements.txt" = "requirements.txt"
    }
    error_message = "The zip holds ${join(", ", keys(output.files))}"
  }
}

run "the_same_files_make_the_same_name" {
  module {
    source = "./modules/source"
  }

  variables {
    name = "list"
    root = "./tests/../tests/sources/before"
  }

  assert {
    condition     = output.hash == run.a_zip_holds_its_function_at_the_root_and_lib_beside_it.hash
    error_message = "The name depends on where the repository lies"
  }
}

run "it_changes_with_the_functions_own_file" {
  module {
    source = "./modules/source"
  }

  variables {
    name = "list"
    root = "tests/sources/own_changed"
  }

  assert {
    condition     = output.hash != run.a_zip_holds_its_function_at_the_root_and_lib_beside_it.hash
    error_message = "A changed function would not be deployed"
  }
}

run "it_changes_with_lib" {
  module {
    source = "./modules/source"
  }

  variables {
    name = "list"
    root = "tests/sources/lib_changed"
  }

  assert {
    condition     = output.hash != run.a_zip_holds_its_function_at_the_root_and_lib_beside_it.hash
    error_message = "A changed lib would not be deployed"
  }
}

run "it_stays_when_another_function_changes" {
  module {
    source = "./modules/source"
  }

  variables {
    name = "list"
    root = "tests/sources/other_changed"
  }

  assert {
    condition     = output.hash == run.a_zip_holds_its_function_at_the_root_and_lib_beside_it.hash
    error_message = "Another function's change deploys this one"
  }
}

run "it_stays_when_a_migration_comes" {
  module {
    source = "./modules/source"
  }

  variables {
    name = "list"
    root = "tests/sources/migration_changed"
  }

  assert {
    condition     = output.hash == run.a_zip_holds_its_function_at_the_root_and_lib_beside_it.hash
    error_message = "A migration deploys a function that does not run it"
  }
}

run "who_migrates_ships_the_schema" {
  module {
    source = "./modules/source"
  }

  variables {
    name         = "list"
    root         = "tests/sources/migration_changed"
    ships_schema = true
  }

  assert {
    condition     = contains(keys(output.files), "lib/schema/first.txt") && contains(keys(output.files), "lib/schema/second.txt")
    error_message = "The zip holds ${join(", ", keys(output.files))}"
  }
}

run "a_lock_of_its_own_goes_before_the_roots" {
  module {
    source = "./modules/source"
  }

  variables {
    name = "docs"
    root = "tests/sources/before"
  }

  assert {
    condition = output.files == {
      "lib/shared.txt"   = "lib/shared.txt"
      "main.txt"         = "functions/docs/main.txt"
      "requirements.txt" = "functions/docs/requirements.txt"
    }
    error_message = "The zip holds ${join(", ", [for inside, outside in output.files : "${inside} from ${outside}"])}"
  }
}

run "who_has_a_lock_of_its_own_stays_when_the_roots_changes" {
  module {
    source = "./modules/source"
  }

  variables {
    name = "docs"
    root = "tests/sources/lock_changed"
  }

  assert {
    condition     = output.hash == run.a_lock_of_its_own_goes_before_the_roots.hash
    error_message = "A function is built anew with packages that it does not install, or for what its lock was made from"
  }
}

run "all_others_change_with_the_roots_lock" {
  module {
    source = "./modules/source"
  }

  variables {
    name = "list"
    root = "tests/sources/lock_changed"
  }

  assert {
    condition     = output.hash != run.a_zip_holds_its_function_at_the_root_and_lib_beside_it.hash
    error_message = "New packages would never arrive"
  }
}

run "a_real_function_ships_its_main_and_lib_and_no_other" {
  module {
    source = "./modules/source"
  }

  variables {
    name = "movies_list"
    root = ".."
  }

  assert {
    condition     = alltrue([for file in ["main.py", "requirements.txt", "lib/__init__.py", "lib/settings.py"] : contains(keys(output.files), file)])
    error_message = "Something is missing"
  }

  assert {
    condition     = alltrue([for file in keys(output.files) : !startswith(file, "functions/") && !startswith(file, "lib/schema/") && file != "function.yaml" && !strcontains(file, "__pycache__")])
    error_message = "The zip holds what it should not: ${join(", ", keys(output.files))}"
  }
}
