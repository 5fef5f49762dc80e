# A plan's text without the data that Terraform reads as it applies: of the zips, that is all of our
# source, a hundred thousand lines in which nobody would find what changes.
/^  # [^(]/ { skipped = /will be read during apply$/ }
/^[^ ]/ { skipped = 0 }
!skipped
