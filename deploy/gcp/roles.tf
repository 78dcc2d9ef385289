# The three deployables, the console, and what computes vectors. Every process is replaced within
# seconds and keeps nothing; old and new instances run side by side for a while.

resource "google_cloud_run_v2_service" "webhook" {
  count = local.has_webhook ? 1 : 0

  name     = "tillbox-webhook"
  location = var.region
  # Stripe comes by the load balancer (entrance.tf) and shows a signature; no account of Google's
  # is asked for, and the address under run.app answers nobody.
  ingress              = "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER"
  invoker_iam_disabled = true

  template {
    service_account                  = google_service_account.this["webhook"].email
    max_instance_request_concurrency = 80
    timeout                          = "10s"

    scaling {
      min_instance_count = local.size.webhook_instances
      max_instance_count = local.size.webhook_max
    }

    vpc_access {
      egress = "ALL_TRAFFIC"

      network_interfaces {
        network    = google_compute_network.tillbox.id
        subnetwork = google_compute_subnetwork.roles.id
      }
    }

    containers {
      name  = "tillbox"
      image = var.image
      args  = local.programs.webhook.words

      ports {
        container_port = 8080
      }

      # Kafka's client works between requests, too.
      resources {
        cpu_idle = false
        limits   = { cpu = "1", memory = "512Mi" }
      }

      dynamic "env" {
        for_each = local.plain.webhook

        content {
          name  = env.key
          value = env.value
        }
      }

      dynamic "env" {
        for_each = local.programs.webhook.secrets

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
        for_each = toset(local.programs.webhook.files)

        content {
          name       = volume_mounts.key
          mount_path = "/etc/tillbox/${volume_mounts.key}"
        }
      }

      startup_probe {
        period_seconds    = 2
        timeout_seconds   = 2
        failure_threshold = 30

        http_get {
          path = "/healthz"
          port = 8080
        }
      }

      liveness_probe {
        period_seconds    = 20
        timeout_seconds   = 5
        failure_threshold = 3

        http_get {
          path = "/healthz"
          port = 8080
        }
      }
    }

    containers {
      name       = "metrics"
      image      = var.metrics_image
      depends_on = ["tillbox"]

      resources {
        cpu_idle = false
        limits   = { cpu = "1", memory = "512Mi" }
      }

      volume_mounts {
        name       = "metrics"
        mount_path = "/etc/rungmp"
      }
    }

    dynamic "volumes" {
      for_each = toset(local.programs.webhook.files)

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

    volumes {
      name = "metrics"

      secret {
        secret = google_secret_manager_secret.this["metrics"].secret_id

        items {
          path    = "config.yaml"
          version = "latest"
        }
      }
    }
  }

  depends_on = [google_secret_manager_secret_iam_member.reader]
}

# No requests, no port, no autoscaling: a service without requests would be given no processor.
locals {
  pools = merge(
    {
      score  = local.size.score_instances
      ledger = local.size.ledger_instances
    },
    # It reads payment.validated from its beginning at each start, and there may be one.
    var.features == "stand_in" ? { features = 1 } : {},
  )
}

resource "google_cloud_run_v2_worker_pool" "this" {
  for_each = local.has_roles ? local.pools : {}

  name     = "tillbox-${each.key}"
  location = var.region

  scaling {
    scaling_mode          = "MANUAL"
    manual_instance_count = each.value
  }

  template {
    service_account = google_service_account.this[each.key].email

    vpc_access {
      egress = "ALL_TRAFFIC"

      network_interfaces {
        network    = google_compute_network.tillbox.id
        subnetwork = google_compute_subnetwork.roles.id
      }
    }

    containers {
      name  = "tillbox"
      image = var.image
      args  = local.programs[each.key].words

      resources {
        limits = { cpu = "1", memory = "1Gi" }
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

      # Fails when the role's step has not come round for 60 s, so that a new one is begun. What
      # computes vectors is no role and has no port.
      dynamic "startup_probe" {
        for_each = each.key == "features" ? [] : [9090]

        content {
          period_seconds    = 2
          timeout_seconds   = 2
          failure_threshold = 30

          http_get {
            path = "/healthz"
            port = startup_probe.value
          }
        }
      }

      dynamic "liveness_probe" {
        for_each = each.key == "features" ? [] : [9090]

        content {
          period_seconds    = 20
          timeout_seconds   = 5
          failure_threshold = 3

          http_get {
            path = "/healthz"
            port = liveness_probe.value
          }
        }
      }
    }

    dynamic "containers" {
      for_each = each.key == "features" ? [] : [var.metrics_image]

      content {
        name       = "metrics"
        image      = containers.value
        depends_on = ["tillbox"]

        resources {
          limits = { cpu = "1", memory = "512Mi" }
        }

        volume_mounts {
          name       = "metrics"
          mount_path = "/etc/rungmp"
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

    dynamic "volumes" {
      for_each = each.key == "features" ? [] : ["metrics"]

      content {
        name = volumes.value

        secret {
          secret = google_secret_manager_secret.this[volumes.value].secret_id

          items {
            path    = "config.yaml"
            version = "latest"
          }
        }
      }
    }
  }

  lifecycle {
    # The service reports a mode of its own, which is none that we set.
    ignore_changes = [scaling[0].scaling_mode]
  }

  depends_on = [google_secret_manager_secret_iam_member.reader]
}
