# Copy it to terraform.tfvars, and go through docs/GCP.md.
project        = "my-tillbox"
region         = "europe-west1"
size           = "small"
stage          = "ground"
webhook_host   = "hooks.example.com"
console_host   = "tillbox.example.com"
console_people = ["group:finance@example.com"]
alert_emails   = ["oncall@example.com"]
livemode       = "test"
# From the stage jobs on, each by its digest (docs/GCP.md, step 5).
image      = ""
psql_image = ""
