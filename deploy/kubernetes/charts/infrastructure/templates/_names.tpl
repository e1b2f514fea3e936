{{- define "infrastructure.labels" -}}
app.kubernetes.io/part-of: esim-fulfilment
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* Who may do what at the brokers: the table that is generated from the services' own subscriptions. */}}
{{- define "infrastructure.access" -}}
{{ .Files.Get "files/access.json" }}
{{- end }}
