# The console: behind the load balancer and Identity-Aware Proxy, and then behind its own accounts.
resource "google_cloud_run_v2_service" "console" {
  count = local.has_roles ? 1 : 0

  name     = "tillbox-console"
  location = var.region
  ingress  = "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER"

  template {
    service_account = google_service_account.this["console"].email
    # A page that is looked at holds a stream open.
    timeout = "3600s"

    scaling {
      min_instance_count = local.size.console_instances
      max_instance_count = 2
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
      args  = local.programs.console.words

      ports {
        container_port = 9090
      }

      # A password is worked on in 128 MiB, and two at once.
      resources {
        cpu_idle = false
        limits   = { cpu = "1", memory = "1Gi" }
      }

      dynamic "env" {
        for_each = local.plain.console

        content {
          name  = env.key
          value = env.value
        }
      }

      dynamic "env" {
        for_each = local.programs.console.secrets

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
        for_each = toset(local.programs.console.files)

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
          port = 9090
        }
      }

      liveness_probe {
        period_seconds    = 20
        timeout_seconds   = 5
        failure_threshold = 3

        http_get {
          path = "/healthz"
          port = 9090
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
      for_each = toset(local.programs.console.files)

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

# Identity-Aware Proxy alone may call it, on behalf of the people below.
resource "google_cloud_run_v2_service_iam_member" "iap" {
  count = local.has_roles ? 1 : 0

  location = var.region
  name     = google_cloud_run_v2_service.console[0].name
  role     = "roles/run.invoker"
  member   = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-iap.iam.gserviceaccount.com"
}

resource "google_iap_web_backend_service_iam_member" "people" {
  for_each = local.has_roles ? var.console_people : toset([])

  web_backend_service = google_compute_backend_service.console[0].name
  role                = "roles/iap.httpsResourceAccessor"
  member              = each.key
}
