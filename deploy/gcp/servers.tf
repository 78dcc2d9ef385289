# What the roles stand on: Kafka, Postgres, Redis. None of them has a public address.

resource "google_managed_kafka_cluster" "tillbox" {
  cluster_id = "tillbox"
  location   = var.region

  capacity_config {
    vcpu_count   = local.size.kafka_vcpu
    memory_bytes = local.size.kafka_memory_gib * 1024 * 1024 * 1024
  }

  gcp_config {
    access_config {
      network_configs {
        subnet = google_compute_subnetwork.roles.id
      }
    }
  }

  rebalance_config {
    mode = "AUTO_REBALANCE_ON_SCALE_UP"
  }

  lifecycle {
    # The topics are the only copy of what happened.
    prevent_destroy = true
  }
}

resource "google_sql_database_instance" "ledger" {
  #checkov:skip=CKV_GCP_6: what comes without TLS is refused (ssl_mode); the roles show passwords and no certificates of their own
  #checkov:skip=CKV_GCP_79: 15 is what the tests run against; a newer one is taken when they do
  #checkov:skip=CKV_GCP_111: a statement may hold a password (ALTER ROLE), and logs are read by more people than secrets are; the ledger keeps its own history
  #checkov:skip=CKV2_GCP_13: a line for each statement, thousands a second; Query Insights has the durations
  name                = "tillbox-ledger"
  region              = var.region
  database_version    = "POSTGRES_15"
  deletion_protection = true

  settings {
    tier                        = local.size.sql_tier
    edition                     = "ENTERPRISE"
    availability_type           = local.size.sql_availability
    disk_type                   = "PD_SSD"
    disk_size                   = local.size.sql_disk_gib
    disk_autoresize             = true
    deletion_protection_enabled = true

    ip_configuration {
      ipv4_enabled    = false
      private_network = google_compute_network.tillbox.id
      ssl_mode        = "ENCRYPTED_ONLY"
      # An authority of this instance alone: who holds its certificate is this instance, so that
      # verify-ca tells as much as a name would.
      server_ca_mode = "GOOGLE_MANAGED_INTERNAL_CA"
    }

    backup_configuration {
      enabled                        = true
      start_time                     = "01:00"
      point_in_time_recovery_enabled = true
      transaction_log_retention_days = 7

      backup_retention_settings {
        retained_backups = 30
      }
    }

    maintenance_window {
      day          = 7
      hour         = 3
      update_track = "stable"
    }

    insights_config {
      query_insights_enabled = true
    }

    # A connection that has gone must not hold the one chain: docs/CLOUD.md.
    database_flags {
      name  = "idle_in_transaction_session_timeout"
      value = "30000"
    }

    database_flags {
      name  = "cloudsql.enable_pgaudit"
      value = "on"
    }

    database_flags {
      name  = "log_checkpoints"
      value = "on"
    }

    database_flags {
      name  = "log_connections"
      value = "on"
    }

    database_flags {
      name  = "log_disconnections"
      value = "on"
    }

    database_flags {
      name  = "log_hostname"
      value = "on"
    }

    database_flags {
      name  = "log_lock_waits"
      value = "on"
    }

    database_flags {
      name  = "log_min_error_statement"
      value = "error"
    }

    database_flags {
      name  = "log_min_messages"
      value = "warning"
    }
  }

  lifecycle {
    prevent_destroy = true
  }

  depends_on = [google_service_networking_connection.services]
}

resource "google_sql_database" "ledger" {
  name      = "tillbox"
  instance  = google_sql_database_instance.ledger.name
  charset   = "UTF8"
  collation = "en_US.UTF8"
}

# Owns the tables, and is used by the jobs prepare and grants alone. The roles' users are made by
# the job grants (roles.sql): a user that is made here would be a member of cloudsqlsuperuser.
resource "google_sql_user" "owner" {
  name                = "tillbox"
  instance            = google_sql_database_instance.ledger.name
  password_wo         = ephemeral.random_password.postgres["owner"].result
  password_wo_version = var.password_generation
}

# Claims and vectors. What is lost here makes duplicates, which the ledger books once, and reviews.
resource "google_redis_instance" "tillbox" {
  name               = "tillbox"
  region             = var.region
  tier               = local.size.redis_tier
  memory_size_gb     = local.size.redis_gib
  redis_version      = "REDIS_7_2"
  authorized_network = google_compute_network.tillbox.id
  connect_mode       = "PRIVATE_SERVICE_ACCESS"
  auth_enabled       = true

  # Its port is 6378.
  transit_encryption_mode = "SERVER_AUTHENTICATION"

  # Under noeviction a full memory would answer payments with 503.
  redis_configs = {
    "maxmemory-policy" = "allkeys-lru"
  }

  maintenance_policy {
    weekly_maintenance_window {
      day = "SUNDAY"

      start_time {
        hours   = 3
        minutes = 0
      }
    }
  }

  depends_on = [google_service_networking_connection.services]
}
