resource "google_project_service" "this" {
  for_each = toset([
    "artifactregistry.googleapis.com",
    "bigquery.googleapis.com",
    "cloudscheduler.googleapis.com",
    "compute.googleapis.com",
    "dns.googleapis.com",
    "file.googleapis.com",
    "iam.googleapis.com",
    "iap.googleapis.com",
    "managedkafka.googleapis.com",
    "monitoring.googleapis.com",
    "redis.googleapis.com",
    "run.googleapis.com",
    "secretmanager.googleapis.com",
    "servicenetworking.googleapis.com",
    "sqladmin.googleapis.com",
  ])

  service            = each.key
  disable_on_destroy = false
}

# Images, and nobody but who builds them writes here. A tag that was pushed stays what it is.
resource "google_artifact_registry_repository" "tillbox" {
  #checkov:skip=CKV_GCP_84: encrypted with Google's keys; an image holds nothing secret
  repository_id = "tillbox"
  location      = var.region
  format        = "DOCKER"
  description   = "Tillbox's images"

  docker_config {
    immutable_tags = true
  }

  depends_on = [google_project_service.this]
}
