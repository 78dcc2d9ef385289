# What runs and ends. A command that finds something ends with 1, one that cannot run with 3; either
# is a failed execution, and monitoring.tf tells a person of it.
locals {
  # schedule: UTC; null is started by a person. online: whether it asks Stripe, which it reaches by
  # Cloud Run's own way out.
  jobs = {
    prepare   = { schedule = null, online = false, retries = 1, minutes = 10 }
    sweep     = { schedule = "7 * * * *", online = true, retries = 1, minutes = 50 }
    reconcile = { schedule = "30 2 * * *", online = true, retries = 0, minutes = 180 }
    verify    = { schedule = "0 5 * * *", online = false, retries = 0, minutes = 360 }
    redrive   = { schedule = null, online = false, retries = 0, minutes = 60 }
  }
  scheduled = merge(
    { for name, job in local.jobs : name => job.schedule if job.schedule != null },
    { warehouse = "30 3 * * *" },
  )
}

resource "google_cloud_run_v2_job" "this" {
  for_each = local.has_jobs ? local.jobs : {}

  name     = "tillbox-${each.key}"
  location = var.region

  template {
    template {
      service_account = google_service_account.this[local.account_of[each.key]].email
      max_retries     = each.value.retries
      timeout         = "${each.value.minutes * 60}s"

      vpc_access {
        egress = each.value.online ? "PRIVATE_RANGES_ONLY" : "ALL_TRAFFIC"

        network_interfaces {
          network    = google_compute_network.tillbox.id
          subnetwork = google_compute_subnetwork.roles.id
        }
      }

      containers {
        image = var.image
        args  = local.programs[each.key].words

        resources {
          limits = { cpu = "1", memory = "2Gi" }
        }

        dynamic "env" {
          for_each = local.plain[each.key]

          content {
            name  = env.key
            value = env.value
          }
        }

        dynamic "env" {
          for_each = local.programs[each.key].secrets

          content {
            name = env.key

            value_source {
              secret_key_ref {
                secret  = google_secret_manager_secret.this[env.value].secret_id
                version = "latest"
              }
            }
          }
        }

        dynamic "volume_mounts" {
          for_each = toset(local.programs[each.key].files)

          content {
            name       = volume_mounts.key
            mount_path = "/etc/tillbox/${volume_mounts.key}"
          }
        }
      }

      dynamic "volumes" {
        for_each = toset(local.programs[each.key].files)

        content {
          name = volumes.key

          secret {
            secret = google_secret_manager_secret.this[volumes.key].secret_id

            items {
              path    = "ca.pem"
              version = "latest"
            }
          }
        }
      }
    }
  }

  lifecycle {
    precondition {
      condition     = var.image != ""
      error_message = "From the stage jobs on, name image, Tillbox's image by its digest (docs/GCP.md, step 5)."
    }
  }

  depends_on = [google_secret_manager_secret_iam_member.reader]
}

# The roles' users in Postgres and their rights: behind each `prepare`, and for new passwords.
resource "google_cloud_run_v2_job" "grants" {
  count = local.has_jobs ? 1 : 0

  name     = "tillbox-grants"
  location = var.region

  template {
    template {
      service_account = google_service_account.this["grants"].email
      max_retries     = 0
      timeout         = "300s"

      vpc_access {
        egress = "ALL_TRAFFIC"

        network_interfaces {
          network    = google_compute_network.tillbox.id
          subnetwork = google_compute_subnetwork.roles.id
        }
      }

      containers {
        image   = var.psql_image
        command = ["psql"]
        args    = ["-X", "-q", "-1", "-f", "/etc/tillbox/grants-sql/grants.sql", local.postgres_url.owner]

        resources {
          limits = { cpu = "1", memory = "512Mi" }
        }

        dynamic "env" {
          for_each = {
            PGPASSWORD         = "postgres-owner"
            LEDGER_PASSWORD    = "postgres-ledger"
            CONSOLE_PASSWORD   = "postgres-console"
            RECONCILE_PASSWORD = "postgres-reconcile"
            READER_PASSWORD    = "postgres-reader"
          }

          content {
            name = env.key

            value_source {
              secret_key_ref {
                secret  = google_secret_manager_secret.this[env.value].secret_id
                version = "latest"
              }
            }
          }
        }

        volume_mounts {
          name       = "grants-sql"
          mount_path = "/etc/tillbox/grants-sql"
        }

        volume_mounts {
          name       = "postgres-ca"
          mount_path = "/etc/tillbox/postgres-ca"
        }
      }

      volumes {
        name = "grants-sql"

        secret {
          secret = google_secret_manager_secret.this["grants-sql"].secret_id

          items {
            path    = "grants.sql"
            version = "latest"
          }
        }
      }

      volumes {
        name = "postgres-ca"

        secret {
          secret = google_secret_manager_secret.this["postgres-ca"].secret_id

          items {
            path    = "ca.pem"
            version = "latest"
          }
        }
      }
    }
  }

  lifecycle {
    precondition {
      condition     = var.psql_image != ""
      error_message = "From the stage jobs on, name psql_image, an image with psql by its digest (docs/GCP.md, step 5)."
    }
  }

  depends_on = [google_secret_manager_secret_iam_member.reader]
}

# The scheduler's account may start these jobs and do nothing else.
resource "google_cloud_run_v2_job_iam_member" "scheduler" {
  for_each = local.has_jobs ? local.scheduled : {}

  location = var.region
  name     = "tillbox-${each.key}"
  role     = "roles/run.invoker"
  member   = google_service_account.this["scheduler"].member

  depends_on = [google_cloud_run_v2_job.this, google_cloud_run_v2_job.warehouse]
}

resource "google_cloud_scheduler_job" "this" {
  for_each = local.has_roles ? local.scheduled : {}

  name        = "tillbox-${each.key}"
  region      = var.region
  description = "starts the job tillbox-${each.key}"
  schedule    = each.value
  time_zone   = "Etc/UTC"

  http_target {
    http_method = "POST"
    uri         = "https://run.googleapis.com/v2/projects/${var.project}/locations/${var.region}/jobs/tillbox-${each.key}:run"

    oauth_token {
      service_account_email = google_service_account.this["scheduler"].email
    }
  }

  depends_on = [google_cloud_run_v2_job_iam_member.scheduler]
}
