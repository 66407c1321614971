{{/* The pod of a worker. Takes (dict "root" $ "component" "sfm" "worker" <its values> "facts" <splatworks.workers>). */}}
{{- define "splatworks.workerPod" -}}
{{- $root := .root -}}
{{- $component := .component -}}
{{- $worker := .worker -}}
{{- $gpu := $worker.gpu -}}
serviceAccountName: {{ include "splatworks.fullname" $root }}-{{ $component }}
automountServiceAccountToken: false
{{ include "splatworks.podSecurity" $root }}
terminationGracePeriodSeconds: {{ add $worker.drainSeconds $worker.terminationMarginSeconds }}
{{- $class := ternary "control" "batch" (eq $component "streamer") }}
{{- with include "splatworks.priorityClassName" (dict "root" $root "own" $worker.priorityClassName "class" $class) }}
priorityClassName: {{ . }}
{{- end }}
{{- if and $gpu.enabled $gpu.runtimeClassName }}
runtimeClassName: {{ $gpu.runtimeClassName }}
{{- end }}
{{- with $worker.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with concat $worker.tolerations (ternary $gpu.tolerations list $gpu.enabled) }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with $worker.affinity }}
affinity: {{ toYaml . | nindent 2 }}
{{- end }}
{{- if $worker.topologySpread.enabled }}
topologySpreadConstraints:
  - maxSkew: {{ $worker.topologySpread.maxSkew }}
    topologyKey: {{ $worker.topologySpread.topologyKey }}
    whenUnsatisfiable: {{ $worker.topologySpread.whenUnsatisfiable }}
    labelSelector:
      matchLabels:
        {{- include "splatworks.componentSelector" . | nindent 8 }}
{{- end }}
containers:
  - name: {{ $component }}
    image: {{ include "splatworks.image" (dict "root" $root "image" $worker.image "repository" (printf "splatworks-%s" $component)) }}
    imagePullPolicy: {{ $root.Values.image.pullPolicy }}
    command: [splatworks-{{ $component }}]
    args:
      - --listen=0.0.0.0:50051
      - --health-listen=0.0.0.0:50052
      - --metrics-listen=0.0.0.0:9090
      - --tls-cert=/etc/splatworks/tls/tls.crt
      - --tls-key=/etc/splatworks/tls/tls.key
      - --tls-client-ca=/etc/splatworks/tls/ca.crt
      - --allowed-san={{ include "splatworks.san" (dict "root" $root "component" "operator") }}
      - --capacity={{ $worker.capacity }}
      {{- with $worker.threads }}
      - --threads={{ . }}
      {{- end }}
      {{- with $worker.memoryLimitMb }}
      - --memory-limit-mb={{ . }}
      {{- end }}
      - --scratch=/scratch
      - --drain-seconds={{ $worker.drainSeconds }}
      - --operation-ttl-seconds={{ $worker.operationTtlSeconds }}
      - --log-level={{ $worker.logLevel }}
      {{- if eq $component "streamer" }}
      - --http-listen=0.0.0.0:8080
      {{- range splitList "," (include "splatworks.streamerHosts" $root) }}
      - --http-host={{ . }}
      {{- end }}
      {{- end }}
    env:
      {{- include "splatworks.storeEnv" $root | nindent 6 }}
      {{- if not $worker.threads }}
      {{- $requested := ternary "requests" "" (hasKey (default dict $worker.resources.requests) "cpu") }}
      {{- with ternary "limits" $requested (hasKey (default dict $worker.resources.limits) "cpu") }}
      - name: SPLATWORKS_THREADS
        valueFrom: {resourceFieldRef: {resource: {{ . }}.cpu, divisor: "1"}}
      {{- end }}
      {{- end }}
      - {name: HOME, value: /tmp}
      {{- if $gpu.enabled }}
      - {name: CUDA_CACHE_PATH, value: /tmp/cuda}
      - {name: TORCH_EXTENSIONS_DIR, value: /tmp/torch}
      - {name: NUMBA_CACHE_DIR, value: /tmp/numba}
      {{- end }}
      {{- range $name, $value := $worker.env }}
      - name: {{ $name }}
        value: {{ $value | quote }}
      {{- end }}
    ports:
      - {name: grpc, containerPort: 50051}
      - {name: health, containerPort: 50052}
      - {name: metrics, containerPort: 9090}
      {{- if eq $component "streamer" }}
      - {name: http, containerPort: 8080}
      {{- end }}
    startupProbe:
      grpc: {port: 50052, service: ""}
      periodSeconds: 2
      timeoutSeconds: 3
      failureThreshold: {{ div (add $worker.startupSeconds 1) 2 }}
    livenessProbe:
      grpc: {port: 50052, service: ""}
      periodSeconds: 10
      timeoutSeconds: 5
      failureThreshold: 6
    readinessProbe:
      grpc: {port: 50052, service: {{ .facts.grpcService }}}
      periodSeconds: 5
      timeoutSeconds: 3
    {{- if eq $component "streamer" }}
    lifecycle:
      preStop: {sleep: {seconds: 5}} # until no proxy sends new visitors here
    {{- end }}
    {{- $resources := deepCopy $worker.resources }}
    {{- if $gpu.enabled }}
    {{- $_ := set $resources "limits" (merge (dict $gpu.resource $gpu.count) (default dict $resources.limits)) }}
    {{- end }}
    {{- with $resources }}
    resources: {{ toYaml . | nindent 6 }}
    {{- end }}
    {{- include "splatworks.containerDefaults" $root | nindent 4 }}
    volumeMounts:
      - {name: tls, mountPath: /etc/splatworks/tls, readOnly: true}
      {{- include "splatworks.storeMounts" $root | nindent 6 }}
      - {name: scratch, mountPath: /scratch}
      - {name: tmp, mountPath: /tmp}
      - {name: shm, mountPath: /dev/shm}
volumes:
  {{- include "splatworks.tlsVolume" . | nindent 2 }}
  {{- include "splatworks.storeVolumes" $root | nindent 2 }}
  - {name: scratch, emptyDir: {sizeLimit: {{ $worker.scratchSize }}}}
  - {name: tmp, emptyDir: {sizeLimit: {{ $worker.tmpSize }}}}
  - {name: shm, emptyDir: {medium: Memory, sizeLimit: {{ $worker.shmSize }}}}
{{- end -}}

{{/* Names that the pages answer to, comma-separated: the Service's, the ingress's, and those of the values. */}}
{{- define "splatworks.streamerHosts" -}}
{{- $service := printf "%s-streamer-http" (include "splatworks.fullname" .) -}}
{{- $namespace := .Release.Namespace -}}
{{- $own := list $service (printf "%s.%s" $service $namespace) (printf "%s.%s.svc" $service $namespace) (printf "%s.%s.svc.cluster.local" $service $namespace) -}}
{{- $ingress := ternary .Values.streamer.ingress.hosts list .Values.streamer.ingress.enabled -}}
{{- $base := list -}}
{{- with .Values.operator.viewerBaseURL -}}{{- $base = list (urlParse .).hostname -}}{{- end -}}
{{- concat $own $ingress $base .Values.streamer.http.hosts | uniq | join "," -}}
{{- end -}}
