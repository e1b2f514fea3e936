{{/*
`<service> migrate` before the release is installed or upgraded. It runs when none of the release's own resources are
there yet, so it brings what it needs: settings in the Job itself, a policy that is a hook as well. Both go when it is
done; when it fails the Job stays, for its logs, and the release is not touched.
*/}}

{{- define "esim-service.hook" -}}
helm.sh/hook: pre-install,pre-upgrade
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}

{{- define "esim-service.migration" -}}
{{- if .Values.migration.enabled }}
{{- $name := include "esim-service.name" . -}}
{{- $username := ternary (.Values.migration.kafkaUsername | default (printf "%s-owner" $name)) "" .Values.migration.ownsTopics -}}
{{- $shops := ternary (printf "%s-migrate-shops" $name) "" (and (not (empty .Values.shops)) .Values.migration.readsShops) -}}
{{- if $shops }}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ $shops }}
  labels: {{- include "esim-service.labels" . | nindent 4 }}
  annotations: {{- include "esim-service.hook" . | nindent 4 }}
    helm.sh/hook-weight: "-10"
data:
  {{- include "esim-service.shopsData" . | trim | nindent 2 }}
---
{{- end }}
{{- if .Values.networkPolicy.enabled }}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ $name }}-migrate
  labels: {{- include "esim-service.labels" . | nindent 4 }}
  annotations: {{- include "esim-service.hook" . | nindent 4 }}
    helm.sh/hook-weight: "-10"
spec:
  podSelector:
    matchLabels: {{- include "esim-service.selector" . | nindent 6 }}
      app.kubernetes.io/component: migration
  policyTypes: [Ingress, Egress]
  ingress: []
  egress:
    {{- include "esim-service.egressDns" . | nindent 4 }}
    {{- include "esim-service.egressDatabase" . | nindent 4 }}
    {{- if .Values.migration.ownsTopics }}
    {{- include "esim-service.egressKafka" . | nindent 4 }}
    {{- end }}
---
{{- end }}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ $name }}-migrate
  labels: {{- include "esim-service.labels" . | nindent 4 }}
  annotations: {{- include "esim-service.hook" . | nindent 4 }}
    helm.sh/hook-weight: "-5"
spec:
  backoffLimit: {{ .Values.migration.retries }}
  activeDeadlineSeconds: {{ .Values.migration.deadlineSeconds }}
  template:
    metadata:
      labels: {{- include "esim-service.podLabels" . | nindent 8 }}
        app.kubernetes.io/component: migration
    spec:
      restartPolicy: Never
      {{- include "esim-service.placement" . | nindent 6 }}
      securityContext: {{- include "esim-service.podSecurity" . | nindent 8 }}
      containers:
        - name: migrate
          image: {{ include "esim-service.image" . }}
          imagePullPolicy: {{ .Values.image.pullPolicy }}
          args: [migrate]
          env:
            {{- range $key, $value := include "esim-service.settings" (dict "root" . "kafkaUsername" $username) | fromJson }}
            - {name: {{ $key }}, value: {{ $value | quote }}}
            {{- end }}
          resources: {{- toYaml .Values.migration.resources | nindent 12 }}
          securityContext: {{- include "esim-service.containerSecurity" . | nindent 12 }}
          volumeMounts: {{- include "esim-service.mounts" (dict "root" . "shops" $shops) | nindent 12 }}
      volumes:
        {{- include "esim-service.volumes" (dict
          "root" .
          "shops" $shops
          "databaseSecret" (.Values.database.ownerSecret | default (printf "%s-database-owner" $name))
          "kafkaSecret" (ternary (.Values.migration.kafkaSecret | default $username) "" .Values.migration.ownsTopics)
        ) | nindent 8 }}
{{- end }}
{{- end }}
