# One service account for each of what runs, and what each may do. Nothing runs as the default
# account, nobody has a key, and no account has a role on the project but those at the end.
locals {
  accounts = {
    webhook   = "takes Stripe's deliveries"
    score     = "validates and scores"
    ledger    = "books"
    console   = "serves the console"
    features  = "computes vectors"
    prepare   = "makes topics and tables"
    grants    = "gives the roles their rights in Postgres"
    reconcile = "asks Stripe for its statement and for events that never arrived"
    warehouse = "exports, and loads BigQuery"
    verify    = "verifies the ledger"
    redrive   = "sends dead letters back, when a person starts it"
    scheduler = "starts jobs"
  }
  box = var.moving_box ? { bridge = "copies a box that is being moved in" } : {}

  # Who speaks with Kafka; what each may there is in kafka.tf.
  kafka_accounts = [
    "webhook", "score", "ledger", "console", "features", "prepare", "reconcile", "warehouse",
    "redrive",
  ]
  # Whose numbers the collector beside them writes.
  measured_accounts = ["webhook", "score", "ledger", "console", "features"]
}

resource "google_service_account" "this" {
  for_each = merge(local.accounts, local.box)

  account_id   = "tillbox-${each.key}"
  display_name = "tillbox ${each.key}: ${each.value}"

  depends_on = [google_project_service.this]
}

# Opens a connection; what may be done over it is a matter of Kafka's own access lists. The service
# knows no smaller place for it than the project.
resource "google_project_iam_member" "kafka" {
  for_each = toset(concat(local.kafka_accounts, keys(local.box)))

  project = var.project
  role    = "roles/managedkafka.client"
  member  = google_service_account.this[each.key].member
}

resource "google_project_iam_member" "metrics" {
  for_each = toset(local.measured_accounts)

  project = var.project
  role    = "roles/monitoring.metricWriter"
  member  = google_service_account.this[each.key].member
}

# Load jobs are the project's; the data is the dataset's (warehouse.tf).
resource "google_project_iam_member" "load" {
  project = var.project
  role    = "roles/bigquery.jobUser"
  member  = google_service_account.this["warehouse"].member
}
