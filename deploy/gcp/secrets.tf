# Secrets, and who may read which. Two come from people (docs/GCP.md says how): the signing secret
# of Stripe's endpoint and Stripe's API key; Terraform makes their places and never sees them.
locals {
  secrets = toset([
    "webhook-signing", "stripe-key", "admin-token", "redis-url", "redis-ca", "postgres-ca",
    "postgres-owner", "postgres-ledger", "postgres-console", "postgres-reconcile",
    "postgres-reader", "grants-sql", "metrics",
  ])

  readers = distinct(concat(
    flatten([
      for name, program in local.programs : [
        for secret in concat(values(program.secrets), program.files) :
        { account = local.account_of[name], secret = secret }
      ]
    ]),
    [for name in local.measured_accounts : { account = name, secret = "metrics" }],
    [
      for secret in [
        "grants-sql", "postgres-ca", "postgres-owner", "postgres-ledger", "postgres-console",
        "postgres-reconcile", "postgres-reader",
      ] : { account = "grants", secret = secret }
    ],
  ))
}

resource "google_secret_manager_secret" "this" {
  for_each = local.secrets

  secret_id = "tillbox-${each.key}"

  replication {
    user_managed {
      replicas {
        location = var.region
      }
    }
  }

  depends_on = [google_project_service.this]
}

resource "google_secret_manager_secret_iam_member" "reader" {
  for_each = { for one in local.readers : "${one.account}/${one.secret}" => one }

  secret_id = google_secret_manager_secret.this[each.value.secret].id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.this[each.value.account].member
}

# Letters and digits only: they need no escaping anywhere.
ephemeral "random_password" "postgres" {
  for_each = toset(["owner", "ledger", "console", "reconcile", "reader"])

  length  = 40
  special = false
}

ephemeral "random_password" "admin" {
  length  = 43
  special = false
}

resource "google_secret_manager_secret_version" "postgres" {
  for_each = toset(["owner", "ledger", "console", "reconcile", "reader"])

  secret                 = google_secret_manager_secret.this["postgres-${each.key}"].id
  secret_data_wo         = ephemeral.random_password.postgres[each.key].result
  secret_data_wo_version = var.password_generation
}

resource "google_secret_manager_secret_version" "admin" {
  secret                 = google_secret_manager_secret.this["admin-token"].id
  secret_data_wo         = ephemeral.random_password.admin.result
  secret_data_wo_version = var.password_generation
}

# Redis makes its password itself, and the provider reads it into the state.
resource "google_secret_manager_secret_version" "redis" {
  secret      = google_secret_manager_secret.this["redis-url"].id
  secret_data = "rediss://:${google_redis_instance.tillbox.auth_string}@${google_redis_instance.tillbox.host}:${google_redis_instance.tillbox.port}"
}

resource "google_secret_manager_secret_version" "redis_ca" {
  secret      = google_secret_manager_secret.this["redis-ca"].id
  secret_data = join("\n", google_redis_instance.tillbox.server_ca_certs[*].cert)
}

resource "google_secret_manager_secret_version" "postgres_ca" {
  secret      = google_secret_manager_secret.this["postgres-ca"].id
  secret_data = join("\n", google_sql_database_instance.ledger.server_ca_cert[*].cert)
}

# The grants of migrations/, for the users that roles.sql makes.
resource "google_secret_manager_secret_version" "grants" {
  secret = google_secret_manager_secret.this["grants-sql"].id
  secret_data = join("\n", [
    file("${path.module}/roles.sql"),
    "\\set role tillbox_ledger", file("${path.module}/../../migrations/postgres/grants.sql"),
    "\\set role tillbox_reconcile", file("${path.module}/../../migrations/postgres/grants.sql"),
    "\\set role tillbox_console", file("${path.module}/../../migrations/postgres-console/grants.sql"),
  ])
}

# The collector asks the role beside it; the name becomes the label job of its alerts.
resource "google_secret_manager_secret_version" "metrics" {
  secret = google_secret_manager_secret.this["metrics"].id
  secret_data = yamlencode({
    apiVersion = "monitoring.googleapis.com/v1beta"
    kind       = "RunMonitoring"
    metadata   = { name = "tillbox" }
    spec = {
      endpoints = [{ port = 9090, path = "/metrics", interval = "30s" }]
    }
  })
}
