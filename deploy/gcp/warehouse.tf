# The nightly export and its load into BigQuery (docs/WAREHOUSE.md, docs/BIGQUERY.md).
resource "google_bigquery_dataset" "tillbox" {
  #checkov:skip=CKV_GCP_81: encrypted with Google's keys; a lost key of one's own would lose the warehouse
  dataset_id  = "tillbox"
  location    = var.bigquery_location
  description = "payments, ledger_entries, settlements, reconciliation_breaks, reviews"

  depends_on = [google_project_service.this]
}

resource "google_bigquery_dataset" "stripe" {
  #checkov:skip=CKV_GCP_81: as above
  dataset_id  = "stripe"
  location    = var.bigquery_location
  description = "Stripe's objects in the shape of Fivetran's source"

  depends_on = [google_project_service.this]
}

resource "google_bigquery_dataset_iam_member" "load" {
  for_each = {
    tillbox = google_bigquery_dataset.tillbox.dataset_id
    stripe  = google_bigquery_dataset.stripe.dataset_id
  }

  dataset_id = each.value
  role       = "roles/bigquery.dataEditor"
  member     = google_service_account.this["warehouse"].member
}

# An export goes on where the last one was, from a state that lies beside its files (SQLite, which
# wants a disk; a bucket that is mounted is none). Without a disk it reads all topics each night
# into memory: that is for small installations, and BigQuery is sent what is new all the same.
resource "google_filestore_instance" "export" {
  count = local.size.export_disk_gib > 0 ? 1 : 0

  name     = "tillbox-export"
  location = "${var.region}-b"
  tier     = "BASIC_HDD"

  file_shares {
    name        = "warehouse"
    capacity_gb = local.size.export_disk_gib
  }

  networks {
    network      = google_compute_network.tillbox.id
    modes        = ["MODE_IPV4"]
    connect_mode = "PRIVATE_SERVICE_ACCESS"
  }

  depends_on = [google_service_networking_connection.services]
}

resource "google_cloud_run_v2_job" "warehouse" {
  count = local.has_jobs ? 1 : 0

  name     = "tillbox-warehouse"
  location = var.region

  template {
    template {
      service_account = google_service_account.this["warehouse"].email
      max_retries     = 1
      timeout         = "21600s"

      # Stripe is asked what payouts are made of.
      vpc_access {
        egress = "PRIVATE_RANGES_ONLY"

        network_interfaces {
          network    = google_compute_network.tillbox.id
          subnetwork = google_compute_subnetwork.roles.id
        }
      }

      containers {
        image = local.size.export_disk_gib > 0 ? var.export_image : var.image
        args  = local.programs.warehouse.words

        resources {
          limits = { cpu = "2", memory = local.size.export_disk_gib > 0 ? "2Gi" : "8Gi" }
        }

        dynamic "env" {
          for_each = local.plain.warehouse

          content {
            name  = env.key
            value = env.value
          }
        }

        dynamic "env" {
          for_each = local.programs.warehouse.secrets

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
          name       = "postgres-ca"
          mount_path = "/etc/tillbox/postgres-ca"
        }

        volume_mounts {
          name       = "warehouse"
          mount_path = "/warehouse"
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

      volumes {
        name = "warehouse"

        dynamic "nfs" {
          for_each = google_filestore_instance.export

          content {
            server = nfs.value.networks[0].ip_addresses[0]
            path   = "/${nfs.value.file_shares[0].name}"
          }
        }

        dynamic "empty_dir" {
          for_each = local.size.export_disk_gib > 0 ? [] : ["6Gi"]

          content {
            medium     = "MEMORY"
            size_limit = empty_dir.value
          }
        }
      }
    }
  }

  lifecycle {
    precondition {
      condition     = local.size.export_disk_gib == 0 || var.export_image != ""
      error_message = "This size exports to a disk: name export_image, Tillbox's image as root (docs/GCP.md, step 5)."
    }
  }

  depends_on = [google_secret_manager_secret_iam_member.reader]
}
