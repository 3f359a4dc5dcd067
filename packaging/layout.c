/* The sizes, offsets and numbers that the code for macOS counts on, held to Apple's own headers, which
 * zig brings along. Compiled for each kind of Mac and never run: packaging/link-macos does it.
 *
 * Not here, as no public header has them: struct xinpcb_n, xsocket_n, xtcpcb_n, xunpcb_n and
 * proc_uniqidentifierinfo (bsd/netinet/in_pcb.h, bsd/sys/socketvar_private.h,
 * bsd/sys/proc_info_private.h of Apple's xnu). */
#include <libproc.h>
#include <mach/mach_time.h>
#include <mach/message.h>
#include <stddef.h>
#include <sys/proc.h>
#include <sys/proc_info.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/sysctl.h>
#include <sys/un.h>
#define IS(a, b) _Static_assert((a) == (b), #a " is not " #b)

/* decode/macos/descriptors.rs */
IS(sizeof(struct proc_fdinfo), 8);
IS(sizeof(struct proc_fileportinfo), 8);
IS(offsetof(struct proc_fileportinfo, proc_fdtype), 4);
IS(sizeof(struct socket_fdinfo), 792);
IS(offsetof(struct socket_fdinfo, pfi.fi_status), 4);
IS(offsetof(struct socket_fdinfo, psi), 24);
IS(offsetof(struct socket_info, soi_so), 136);
IS(offsetof(struct socket_info, soi_protocol), 156);
IS(offsetof(struct socket_info, soi_family), 160);
IS(offsetof(struct socket_info, soi_options), 164);
IS(offsetof(struct socket_info, soi_state), 168);
IS(offsetof(struct socket_info, soi_kind), 232);
IS(offsetof(struct socket_info, soi_proto), 240);
IS(offsetof(struct in_sockinfo, insi_fport), 0);
IS(offsetof(struct in_sockinfo, insi_lport), 4);
IS(offsetof(struct in_sockinfo, insi_vflag), 24);
IS(offsetof(struct in_sockinfo, insi_faddr), 32);
IS(offsetof(struct in_sockinfo, insi_laddr), 48);
IS(offsetof(struct in4in6_addr, i46a_addr4), 12);
IS(offsetof(struct tcp_sockinfo, tcpsi_state), 80);
IS(offsetof(struct un_sockinfo, unsi_conn_so), 0);
IS(offsetof(struct un_sockinfo, unsi_addr), 16);
IS(offsetof(struct sockaddr_un, sun_family), 1);
IS(offsetof(struct sockaddr_un, sun_path), 2);
IS(sizeof(struct vnode_fdinfowithpath), 1200);
IS(offsetof(struct vnode_fdinfowithpath, pvip), 24);
IS(offsetof(struct vnode_info_path, vip_path), 152);
IS(offsetof(struct vinfo_stat, vst_mode), 4);
IS(offsetof(struct vinfo_stat, vst_ino), 8);
IS(PROX_FDTYPE_VNODE, 1);
IS(PROX_FDTYPE_SOCKET, 2);
IS(PROX_FDTYPE_PIPE, 6);
IS(PROC_FP_SHARED, 1);
IS(SOCKINFO_IN, 1);
IS(SOCKINFO_TCP, 2);
IS(SOCKINFO_UN, 3);
IS(INI_IPV4, 1);
IS(INI_IPV6, 2);

/* decode/macos/process.rs */
IS(sizeof(struct kinfo_proc), 648);
IS(sizeof(struct proc_taskinfo), 96);
IS(offsetof(struct proc_taskinfo, pti_threadnum), 84);
IS(offsetof(struct kinfo_proc, kp_proc.p_un), 0);
IS(offsetof(struct kinfo_proc, kp_proc.p_stat), 36);
IS(offsetof(struct kinfo_proc, kp_proc.p_pid), 40);
IS(offsetof(struct kinfo_proc, kp_proc.p_nice), 242);
IS(offsetof(struct kinfo_proc, kp_proc.p_comm), 243);
IS(sizeof(((struct kinfo_proc *)0)->kp_proc.p_comm), 17);
IS(offsetof(struct kinfo_proc, kp_eproc.e_pcred.p_ruid), 392);
IS(offsetof(struct kinfo_proc, kp_eproc.e_pcred.p_svuid), 396);
IS(offsetof(struct kinfo_proc, kp_eproc.e_pcred.p_rgid), 400);
IS(offsetof(struct kinfo_proc, kp_eproc.e_pcred.p_svgid), 404);
IS(offsetof(struct kinfo_proc, kp_eproc.e_ucred.cr_uid), 420);
IS(offsetof(struct kinfo_proc, kp_eproc.e_ucred.cr_ngroups), 424);
IS(offsetof(struct kinfo_proc, kp_eproc.e_ucred.cr_groups), 428);
IS(offsetof(struct kinfo_proc, kp_eproc.e_ppid), 560);
IS(offsetof(struct kinfo_proc, kp_eproc.e_pgid), 564);
IS(offsetof(struct kinfo_proc, kp_eproc.e_tdev), 572);
IS(SIDL, 1);
IS(SRUN, 2);
IS(SSLEEP, 3);
IS(SSTOP, 4);
IS(SZOMB, 5);
IS(sizeof(struct proc_vnodepathinfo), 2352);
IS(offsetof(struct proc_vnodepathinfo, pvi_cdir.vip_path), 152);

/* decode/macos/pcb.rs */
IS(TSI_S_CLOSED, 0);
IS(TSI_S_LISTEN, 1);
IS(TSI_S_SYN_SENT, 2);
IS(TSI_S_SYN_RECEIVED, 3);
IS(TSI_S_ESTABLISHED, 4);
IS(TSI_S__CLOSE_WAIT, 5);
IS(TSI_S_FIN_WAIT_1, 6);
IS(TSI_S_CLOSING, 7);
IS(TSI_S_LAST_ACK, 8);
IS(TSI_S_FIN_WAIT_2, 9);
IS(TSI_S_TIME_WAIT, 10);
IS(AF_INET6, 30);
IS(SO_ACCEPTCONN, 0x2);
IS(SO_REUSEADDR, 0x4);
IS(SO_REUSEPORT, 0x200);

/* sys/macos/ffi.rs */
IS(sizeof(audit_token_t), 32);
IS(sizeof(struct mach_timebase_info), 8);
IS(RUSAGE_INFO_V0, 0);
IS(offsetof(struct rusage_info_v0, ri_user_time), 16);
IS(offsetof(struct rusage_info_v0, ri_resident_size), 64);
IS(PROC_PIDLISTFDS, 1);
IS(PROC_PIDVNODEPATHINFO, 9);
IS(PROC_PIDLISTFILEPORTS, 14);
IS(PROC_PIDFDVNODEPATHINFO, 2);
IS(PROC_PIDFDSOCKETINFO, 3);
IS(PROC_PIDFILEPORTSOCKETINFO, 3);
IS(KERN_PROCARGS2, 49);
IS(KERN_PROC_ALL, 0);
IS(KERN_PROC_PID, 1);

int main(void) { return 0; }
