{{/* The service's own pods, and what stands around them. */}}

{{- define "esim-service.serviceaccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "esim-service.name" . }}
  labels: {{- include "esim-service.labels" . | nindent 4 }}
# The services ask Kubernetes nothing.
automountServiceAccountToken: false
{{- end }}

{{- define "esim-service.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "esim-service.containerSecurity" -}}
allowPrivilegeEscalation: false
privileged: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* Where pods run, as fields of a pod's spec. */}}
{{- define "esim-service.placement" -}}
automountServiceAccountToken: false
# Variables that Kubernetes would make of other Services' names could pass for settings.
enableServiceLinks: false
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "esim-service.deployment" -}}
{{- $name := include "esim-service.name" . -}}
{{- $shops := ternary (printf "%s-shops" $name) "" (and (not (empty .Values.shops)) .Values.readsShops) -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $name }}
  labels: {{- include "esim-service.labels" . | nindent 4 }}
spec:
  {{- if eq .Values.autoscaling.by "none" }}
  replicas: {{ .Values.replicaCount }}
  {{- end }}
  revisionHistoryLimit: 5
  minReadySeconds: 5
  progressDeadlineSeconds: {{ add (int .Values.probes.startupSeconds) 120 }}
  strategy:
    type: RollingUpdate
    rollingUpdate: {maxSurge: 1, maxUnavailable: 0}
  selector:
    matchLabels: {{- include "esim-service.selector" . | nindent 6 }}
      app.kubernetes.io/component: service
  template:
    metadata:
      labels: {{- include "esim-service.podLabels" . | nindent 8 }}
        app.kubernetes.io/component: service
        {{- with .Values.podLabels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      annotations:
        # A changed setting starts new pods.
        checksum/settings: {{ include "esim-service.settings" (dict "root" . "kafkaUsername" (include "esim-service.kafkaUsername" .)) | sha256sum }}
        {{- with .Values.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      serviceAccountName: {{ $name }}
      {{- include "esim-service.placement" . | nindent 6 }}
      {{- with .Values.affinity }}
      affinity: {{- toYaml . | nindent 8 }}
      {{- end }}
      topologySpreadConstraints:
        {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
        - topologyKey: {{ . }}
          maxSkew: 1
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels: {{- include "esim-service.selector" $ | nindent 14 }}
              app.kubernetes.io/component: service
          matchLabelKeys: [pod-template-hash]
        {{- end }}
      terminationGracePeriodSeconds: {{ .Values.termination.graceSeconds }}
      securityContext: {{- include "esim-service.podSecurity" . | nindent 8 }}
      containers:
        - name: {{ $name }}
          image: {{ include "esim-service.image" . }}
          imagePullPolicy: {{ .Values.image.pullPolicy }}
          args: [serve]
          envFrom:
            - configMapRef: {name: {{ $name }}}
          ports:
            - {name: http, containerPort: 8000, protocol: TCP}
            {{- range .Values.extraPorts }}
            - {name: {{ .name }}, containerPort: {{ .port }}, protocol: TCP}
            {{- end }}
          startupProbe:
            httpGet: {path: /health/live, port: http}
            periodSeconds: 2
            timeoutSeconds: 3
            failureThreshold: {{ div (add (int .Values.probes.startupSeconds) 1) 2 }}
          livenessProbe:
            httpGet: {path: /health/live, port: http}
            {{- toYaml .Values.probes.live | nindent 12 }}
          readinessProbe:
            httpGet: {path: /health/ready, port: http}
            {{- toYaml .Values.probes.ready | nindent 12 }}
          lifecycle:
            preStop:
              sleep: {seconds: {{ .Values.termination.preStopSeconds }}}
          resources: {{- toYaml .Values.resources | nindent 12 }}
          securityContext: {{- include "esim-service.containerSecurity" . | nindent 12 }}
          volumeMounts: {{- include "esim-service.mounts" (dict "root" . "shops" $shops) | nindent 12 }}
      volumes:
        {{- include "esim-service.volumes" (dict
          "root" .
          "shops" $shops
          "databaseSecret" (.Values.database.secret | default (printf "%s-database" $name))
          "kafkaSecret" (.Values.kafka.secret | default (include "esim-service.kafkaUsername" .))
        ) | nindent 8 }}
{{- end }}

{{- define "esim-service.service" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "esim-service.name" . }}
  labels: {{- include "esim-service.labels" . | nindent 4 }}
  {{- with .Values.service.annotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  type: ClusterIP
  selector: {{- include "esim-service.selector" . | nindent 4 }}
    app.kubernetes.io/component: service
  ports:
    - {name: http, port: {{ .Values.service.port }}, targetPort: http, protocol: TCP}
    {{- range .Values.extraPorts }}
    - {name: {{ .name }}, port: {{ .port }}, targetPort: {{ .name }}, protocol: TCP}
    {{- end }}
{{- end }}

{{- define "esim-service.disruptionbudget" -}}
{{- if .Values.disruptionBudget.enabled }}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "esim-service.name" . }}
  labels: {{- include "esim-service.labels" . | nindent 4 }}
spec:
  maxUnavailable: {{ .Values.disruptionBudget.maxUnavailable }}
  # A pod that is not ready protects nobody, and must not hold up a node's drain.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels: {{- include "esim-service.selector" . | nindent 6 }}
      app.kubernetes.io/component: service
{{- end }}
{{- end }}

{{- define "esim-service.ingress" -}}
{{- if .Values.ingress.enabled }}
{{- $name := include "esim-service.name" . -}}
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {{ $name }}
  labels: {{- include "esim-service.labels" . | nindent 4 }}
  {{- with .Values.ingress.annotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- with .Values.ingress.className }}
  ingressClassName: {{ . }}
  {{- end }}
  {{- with .Values.ingress.tlsSecret }}
  tls:
    - hosts: [{{ $.Values.ingress.host | quote }}]
      secretName: {{ . }}
  {{- end }}
  rules:
    - host: {{ .Values.ingress.host | quote }}
      http:
        paths:
          {{- range .Values.ingress.paths }}
          - path: {{ . }}
            pathType: Prefix
            backend:
              service: {name: {{ $name }}, port: {name: http}}
          {{- end }}
{{- end }}
{{- end }}
